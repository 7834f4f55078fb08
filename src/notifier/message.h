/*
 * message.h - the body of a notice: offer, over, amended, break or waiting. Pure.
 *
 * As the ticket is at the attempt: an amendment between two attempts shows in
 * the second, under the same id.
 */
#pragma once

struct message { /* texts are borrowed; NULL: left out */
    const char *type, *notice_id, *assignment_id;
    const char *recipient;            /* expert, manager or customer */
    const char *offer_state, *reason; /* how and why the offer ended, why the break */
    const char *ticket_id, *ref, *ticket_type, *area, *problem, *contract, *created_at;
    const char *customer_name, *customer_phone, *customer_email;
    int expert_id;
    const char *expert_name;
    const char *token;      /* secret of the link to the offer's page; NULL: no link */
    const char *public_url; /* of intake, without a slash at its end; "": relative */
};

/* JSON, owned by the caller (free). */
char *message_make(const struct message *message);
