#include "seal.h"
#include "ticket.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t first[1][32] = {{1}};
static const uint8_t both[2][32] = {{2}, {1}};

Test(seal, a_token_opens_to_its_id_and_by_an_older_secret_too)
{
    struct seal *s = seal_new();
    uint8_t id[16], ids[SEAL_SECRETS_MAX][16];
    char token[SEAL_LEN + 1], offer[SEAL_LEN + 1];
    uuid7_make(id);
    seal_set(s, first, 1);
    seal_id(s, SEAL_TRACK, id, token);
    seal_id(s, SEAL_OFFER, id, offer);
    cr_assert_eq(strlen(token), SEAL_LEN);
    cr_assert_str_neq(token, offer, "purposes must be apart");
    cr_assert_eq(seal_open(s, SEAL_TRACK, token, ids), 1);
    cr_assert_arr_eq(ids[0], id, 16);
    seal_set(s, both, 2);
    cr_assert_eq(seal_open(s, SEAL_TRACK, token, ids), 2);
    cr_assert_arr_neq(ids[0], id, 16);
    cr_assert_arr_eq(ids[1], id, 16);
    seal_free(s);
}

Test(seal, what_is_not_a_token_is_refused)
{
    struct seal *s = seal_new();
    uint8_t ids[SEAL_SECRETS_MAX][16];
    seal_set(s, first, 1);
    const char *bad[] = {"",
                         "short",
                         "AAAAAAAAAAAAAAAAAAAAAB",
                         "AAAAAAAAAAAAAAAAAAAAA=",
                         "AAAAAAAAAAAAAAAAAAAAAAA",
                         "AAAAAAAAAA/AAAAAAAAAAA"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(seal_open(s, SEAL_TRACK, bad[i], ids), 0, "%s", bad[i]);
    cr_assert_eq(seal_open(s, SEAL_TRACK, "AAAAAAAAAAAAAAAAAAAAAA", ids), 1);
    seal_free(s);
}

Test(seal, a_code_is_valid_for_its_message_alone)
{
    struct seal *s = seal_new();
    uint8_t mac[SEAL_MAC_BYTES];
    seal_set(s, first, 1);
    seal_mac(s, SEAL_FORM, "message", 7, mac);
    seal_set(s, both, 2);
    cr_assert(seal_mac_valid(s, SEAL_FORM, "message", 7, mac));
    cr_assert_not(seal_mac_valid(s, SEAL_FORM, "massage", 7, mac));
    cr_assert_not(seal_mac_valid(s, SEAL_TRACK, "message", 7, mac));
    mac[0] ^= 1;
    cr_assert_not(seal_mac_valid(s, SEAL_FORM, "message", 7, mac));
    seal_free(s);
}
