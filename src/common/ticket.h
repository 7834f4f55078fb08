/*
 * ticket.h - nouns that several programs share: ids, references, limits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest values, in characters of the text after decoding; equal to the
 * CHECK constraints of squad.ticket. */
enum {
    TICKET_TYPE_MAX = 64,
    TICKET_AREA_MAX = 16,
    TICKET_PROBLEM_MAX = 4000,
    TICKET_SOURCE_MAX = 32,
    TICKET_CONTRACT_MAX = 64,
    TICKET_CUSTOMER_REF_MAX = 64,
    TICKET_CUSTOMER_NAME_MAX = 200,
    TICKET_CUSTOMER_PHONE_MAX = 32,
    TICKET_CUSTOMER_EMAIL_MAX = 254,
    TICKET_CALL_PROVIDER_MAX = 32,
    TICKET_CALL_ID_MAX = 128,
    TICKET_REF_LEN = 11, /* XXXXX-XXXXX */
    UUID_TEXT_LEN = 36,
};

/* UUID version 7, RFC 9562 section 5.7: 48 bits of Unix milliseconds, then
 * random bits from getrandom(2). */
void uuid7_make(uint8_t ret_uuid[16]);

/* Says what time it really is, the database's say: from now on ids are made by that clock, unless
 * this machine's is within UUID7_CLOCK_TOLERANCE_MS of it. Returns by how much this machine's
 * clock is ahead, 0 within the tolerance. Any thread. */
enum { UUID7_CLOCK_TOLERANCE_MS = 2000 };
int64_t uuid7_set_clock(int64_t unix_ms);

/* As text in lower case, with its NUL. */
void uuid_format(const uint8_t uuid[16], char ret_text[UUID_TEXT_LEN + 1]);
bool uuid_parse(const char *text, size_t len, uint8_t ret_uuid[16]); /* exactly 36 characters */

/* Reference for people: nine symbols of Crockford's base 32 from the last 45
 * bits of the id (random in version 7), and a check symbol, Luhn mod 32
 * (ISO/IEC 7812-1 annex B, generalised), as XXXXX-XXXXX. */
void ticket_ref_make(const uint8_t uuid[16], char ret_ref[TICKET_REF_LEN + 1]);

/* Reads a reference as people write it: any case, I and L for 1, O for 0,
 * dashes and blanks anywhere. False when it has the wrong length, a wrong
 * symbol or a wrong check symbol. */
bool ticket_ref_parse(const char *text, size_t len, char ret_ref[TICKET_REF_LEN + 1]);
