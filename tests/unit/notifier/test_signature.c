#include "signature.h"

#include <criterion/criterion.h>
#include <string.h>

static const char id[] = "msg_p5jXN8AQM9LWM0D4loKWxJek";

static bool sign(const char *secret, char ret[SIGNATURE_LEN + 1])
{
    static const char body[] = "{\"test\": 2432232314}";
    return signature_make(secret, id, 1614265330, body, sizeof body - 1, ret);
}

Test(signature, is_that_of_the_test_vector_of_standard_webhooks)
{
    char text[SIGNATURE_LEN + 1];
    cr_assert(sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", text));
    cr_expect_str_eq(text, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    cr_expect_eq(strlen(text), SIGNATURE_LEN);
}

Test(signature, depends_on_every_part)
{
    static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    char a[SIGNATURE_LEN + 1], b[SIGNATURE_LEN + 1];
    cr_assert(signature_make(secret, "i", 1, "body", 4, a));
    cr_assert(signature_make(secret, "j", 1, "body", 4, b));
    cr_expect_str_neq(a, b);
    cr_assert(signature_make(secret, "i", 2, "body", 4, b));
    cr_expect_str_neq(a, b);
    cr_assert(signature_make(secret, "i", 1, "bode", 4, b));
    cr_expect_str_neq(a, b);
    cr_assert(signature_make("whsec_NfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "i", 1, "body", 4, b));
    cr_expect_str_neq(a, b);
}

/* Made with Python's hmac: a key whose length is no multiple of three ends in padding, which must
 * not become part of the key. */
Test(signature, padding_of_the_secret_is_no_part_of_the_key)
{
    char text[SIGNATURE_LEN + 1];
    cr_assert(sign("whsec_YQ==", text)); /* "a" */
    cr_expect_str_eq(text, "v1,4ATY6QeOpFQ0Z2owamlwKn7NWXQfDKpPt/9/IazpuUw=");
    cr_assert(sign("whsec_YWI=", text)); /* "ab" */
    cr_expect_str_eq(text, "v1,vHojwjV0xppqxeWQOw3i9VrH5wjGxYf3RB6uU8E8Xuw=");
}

Test(signature, a_secret_of_another_form_is_refused)
{
    static const char *const bad[] = {
        "",
        "whsec_",
        "whsec",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa*w",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La LaS",
        "whsec_====",
        "whsec_A===",
        "whsec_YQ==YQ==",
        "whsec_MfKQ-r8GKYqrTwjUPD8ILPZIo2La_aSw",
        " whsec_YWJj",
        "whsec_ YWJj",
        "whsec_YWJj\n",
        "whsec_\nYWJj",
        "whsec_YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJj"
        "YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJj"
        "YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJj"
        "YWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJjYWJj",
    };
    char text[SIGNATURE_LEN + 1];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect(!sign(bad[i], text), "\"%s\" was taken", bad[i]);
}

Test(signature, an_empty_body_can_be_signed)
{
    char text[SIGNATURE_LEN + 1];
    cr_expect(signature_make("whsec_YWJj", id, 0, "", 0, text));
}
