#include "form_ticket.h"
#include "form_token.h"

#include <criterion/criterion.h>
#include <string.h>

static struct form form;
static struct ticket_fields fields;
static struct violations violations;
static const char *const skip[] = {"token", NULL};
static const char type[] = "application/x-www-form-urlencoded";

static int read_ticket(const char *body)
{
    cr_assert_eq(form_read(body, strlen(body), type, &form, &violations), 0);
    int failed = form_ticket(&form, skip, "web", &fields, &violations);
    form_free(&form);
    return failed;
}

Test(form_ticket, fields_go_where_their_names_say)
{
    cr_assert_eq(read_ticket("type=tv&area=+28013+&problem=a%0D%0Ab&customer.name=Ana&customer."
                             "email=&contract=&token=x"),
                 0);
    cr_expect_str_eq(fields.type, "tv");
    cr_expect_str_eq(fields.area, "28013");
    cr_expect_str_eq(fields.problem, "a\r\nb");
    cr_expect_str_eq(fields.source, "web");
    cr_expect_str_eq(fields.customer_name, "Ana");
    cr_expect_null(fields.customer_email, "what is empty is not given");
    cr_expect_null(fields.contract);
    ticket_fields_free(&fields);
}

Test(form_ticket, what_is_wrong_is_named_as_in_json)
{
    cr_assert_eq(read_ticket("type=tv&customer.email=x&emial=y&customer.age=7"), -1);
    const char *wanted[] = {"/problem", "/area", "/customer/email", "/emial", "/customer/age"};
    cr_expect_eq(violations.n, 5);
    for (size_t i = 0; i < 5; i++) {
        bool found = false;
        for (size_t k = 0; k < violations.n; k++)
            found |= strcmp(violations.list[k].pointer, wanted[i]) == 0;
        cr_expect(found, "%s", wanted[i]);
    }
}

Test(form_ticket, a_name_can_not_reach_into_the_customer_by_json)
{
    cr_expect_eq(read_ticket("type=tv&area=1&problem=x&customer=%7B%22ref%22%3A1%7D"), -1);
    cr_expect_str_eq(violations.list[0].pointer, "/customer");
    cr_expect_eq(read_ticket("type=tv&area=1&problem=x&customer=Ana&customer.name=Ana"), -1);
    cr_expect_str_eq(violations.list[0].pointer, "/customer");
    cr_expect_eq(read_ticket("type=tv&area=1&problem=x&customer.name=Ana&customer=Ana"), -1);
    cr_expect_str_eq(violations.list[0].pointer, "/customer");
    cr_expect_eq(read_ticket("type=tv&area=1&problem=x&customer.=y"), -1);
}

Test(form_ticket, a_body_that_is_no_form_is_malformed)
{
    cr_expect_eq(form_read("a=%", 3, type, &form, &violations), -1);
    cr_expect(violations.malformed);
    cr_expect_eq(violations.n, 1);
}

static const uint8_t secret[1][32] = {{9}};

Test(form_token, is_good_for_its_form_and_for_a_day)
{
    struct seal *s = seal_new();
    struct form_token t, u;
    char text[FORM_TOKEN_LEN + 1], other[FORM_TOKEN_LEN + 1];
    seal_set(s, secret, 1);
    form_token_make(s, 7, 1000, text);
    form_token_make(s, 7, 1000, other);
    cr_expect_eq(strlen(text), FORM_TOKEN_LEN);
    cr_expect_eq(form_token_read(s, text, 7, 1000, &t), FORM_TOKEN_GOOD);
    cr_expect_eq(form_token_read(s, other, 7, 1000, &u), FORM_TOKEN_GOOD);
    cr_expect(memcmp(t.nonce, u.nonce, sizeof t.nonce) != 0, "each form is a ticket of its own");
    cr_expect_eq(form_token_read(s, text, 8, 1000, &t), FORM_TOKEN_FORGED);
    cr_expect_eq(form_token_read(s, text, 7, 1000 + FORM_TOKEN_MAX_AGE_S, &t), FORM_TOKEN_GOOD);
    cr_expect_eq(form_token_read(s, text, 7, 1001 + FORM_TOKEN_MAX_AGE_S, &t), FORM_TOKEN_OLD);
    cr_expect_eq(form_token_read(s, NULL, 7, 1000, &t), FORM_TOKEN_FORGED);
    for (size_t i = 0; i < FORM_TOKEN_LEN; i++) {
        char changed[FORM_TOKEN_LEN + 1];
        memcpy(changed, text, sizeof changed);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        cr_expect_eq(form_token_read(s, changed, 7, 1000, &t), FORM_TOKEN_FORGED, "character %zu",
                     i);
    }
    seal_free(s);
}
