/* squad seed: a small company to try squad out with. */
#include "seed.h"
#include "api_key.h"
#include "command.h"
#include "db.h"
#include "out.h"
#include "sql.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum {
    SECRET_MIN_BYTES = 24, /* Standard Webhooks: 24 to 64 bytes */
    SECRET_MAX_BYTES = 64,
    CAPACITY_MAX = 1000000,
    CONNECT_WAIT_MS = 30000,
};

struct seed_conf {
    struct conf_common common;
    const char *hook_url, *secret, *api_key, *client;
    long capacity;
    bool json;
};

static const struct pg_stmt stmts[] = {
    {"client_put", sql_client_put, 2, false},
    {"client_exists", sql_client_exists, 1, false},
    {"seed_facts", sql_seed_facts, 0, false},
};

static int check_secret(const char *secret, struct err *reterr)
{
    static const char prefix[] = "whsec_";
    unsigned char raw[128];
    size_t n = strlen(secret) - (strlen(secret) >= 6 ? 6 : strlen(secret));
    if (!*secret)
        return 0;
    int size = -1;
    if (strncmp(secret, prefix, 6) == 0 && n % 4 == 0 && n <= 4 * sizeof raw / 3)
        size = EVP_DecodeBlock(raw, (const unsigned char *)secret + 6, (int)n);
    if (size > 0)
        size -= (secret[6 + n - 1] == '=') + (secret[6 + n - 2] == '=');
    if (size < SECRET_MIN_BYTES || size > SECRET_MAX_BYTES)
        return err_fatal(
            reterr, EXIT_CONFIG,
            "--webhook-secret is wrong: it must be whsec_ and %d to %d bytes in base64",
            SECRET_MIN_BYTES, SECRET_MAX_BYTES);
    return 0;
}

static int check_conf(const struct seed_conf *conf, struct err *reterr)
{
    if (strncmp(conf->hook_url, "http://", 7) != 0 && strncmp(conf->hook_url, "https://", 8) != 0)
        return err_fatal(reterr, EXIT_CONFIG,
                         "--hook-url is \"%s\": it must begin with http:// or https://",
                         conf->hook_url);
    if (check_secret(conf->secret, reterr) || api_key_check(conf->api_key, reterr))
        return -1;
    return 0;
}

struct seed {
    const struct seed_conf *conf;
    char key[API_KEY_TEXT_MAX]; /* made here; empty: given or kept */
    bool client_added, client_changed;
    int64_t experts, slots, skills, types, events;
};

static int put_client(struct pg *pg, struct seed *s, struct err *reterr)
{
    const struct seed_conf *conf = s->conf;
    struct pg_params name = {0}, both = {0};
    _cleanup_result_ PGresult *there = NULL, *put = NULL;
    const char *key = conf->api_key;
    pg_param_text(&name, conf->client);
    if (pg_run(pg, "client_exists", &name, &there, reterr))
        return -1;
    s->key[0] = '\0';
    if (pg_get_bool(there, 0, 1)) {
        err_fatal(reterr, EXIT_FOUND, "client \"%s\" is revoked", conf->client);
        return err_hint(reterr, "Another one with --client; nothing was changed.");
    }
    if (!*key && pg_get_bool(there, 0, 0))
        return 0;
    if (!*key) {
        if (api_key_make(s->key, reterr))
            return -1;
        key = s->key;
    }
    pg_param_text(&both, conf->client);
    pg_param_text(&both, key);
    if (pg_run(pg, "client_put", &both, &put, reterr)) {
        if (strcmp(reterr->constraint, "client_key_hash_key") == 0)
            err_fatal(reterr, EXIT_CONFIG, "--api-key is wrong: another client has the same key");
        return -1;
    }
    s->client_changed = PQntuples(put) == 1;
    s->client_added = s->client_changed && pg_get_bool(put, 0, 0);
    return 0;
}

static int seed(struct pg *pg, void *ctx, struct err *reterr)
{
    struct seed *s = ctx;
    char capacity[24] = "";
    if (s->conf->capacity)
        snprintf(capacity, sizeof capacity, "%ld", s->conf->capacity);
    if (db_set_local(pg, "squad.seed_hook_url", s->conf->hook_url, reterr) ||
        db_set_local(pg, "squad.seed_secret", s->conf->secret, reterr) ||
        db_set_local(pg, "squad.seed_capacity", capacity, reterr))
        return -1;
    for (size_t i = 0; i < seed_count; i++)
        if (db_run_file(pg, seed_files[i].name, seed_files[i].text, reterr))
            return -1;
    if (put_client(pg, s, reterr))
        return -1;
    _cleanup_result_ PGresult *facts = NULL;
    if (pg_run(pg, "seed_facts", NULL, &facts, reterr))
        return -1;
    s->experts = pg_get_int8(facts, 0, 0);
    s->slots = pg_get_int8(facts, 0, 1);
    s->skills = pg_get_int8(facts, 0, 2);
    s->types = pg_get_int8(facts, 0, 3);
    s->events = pg_get_int8(facts, 0, 4);
    return 0;
}

static void print_json(const struct seed *s)
{
    out_json(json_pack("{s:I,s:I,s:I,s:I,s:s,s:b,s:s*}", "experts", (json_int_t)s->experts, "slots",
                       (json_int_t)s->slots, "skills", (json_int_t)s->skills, "types",
                       (json_int_t)s->types, "client", s->conf->client, "changed",
                       s->events > 0 || s->client_changed, "api_key", s->key[0] ? s->key : NULL));
}

static void print_text(const struct seed *s)
{
    printf("%" PRId64 " experts with %" PRId64 " slots, %" PRId64 " skills, %" PRId64
           " types of ticket%s\n",
           s->experts, s->slots, s->skills, s->types, s->events ? "" : " (as before)");
    if (s->key[0])
        printf("client \"%s\" has the API key %s (shown this once)\n", s->conf->client, s->key);
    else if (s->client_changed)
        printf("client \"%s\" %s the API key given\n", s->conf->client,
               s->client_added ? "has" : "has now");
    else
        printf("client \"%s\" keeps its API key\n", s->conf->client);
}

static int run(const void *arg, char *const *operands, struct err *reterr)
{
    const struct seed_conf *conf = arg;
    struct pg_options options = {
        .conninfo = conf->common.db, .stmts = stmts, .n_stmts = sizeof stmts / sizeof *stmts};
    _cleanup_pg_ struct pg *pg = NULL;
    struct seed s = {.conf = conf};
    (void)operands;
    if (check_conf(conf, reterr) || db_open(&pg, &options, CONNECT_WAIT_MS, reterr) ||
        pg_tx(pg, "seed the database", seed, &s, reterr))
        return -1;
    if (conf->json)
        print_json(&s);
    else
        print_text(&s);
    return EXIT_OK;
}

static const struct opt opts[] = {
    {.name = "hook-url",
     .env = "SQUAD_HOOK_URL",
     .type = OPT_STR,
     .offset = offsetof(struct seed_conf, hook_url),
     .def = "http://127.0.0.1:9099",
     .metavar = "URL",
     .help = "experts' webhooks are URL/experts/ID"},
    {.name = "webhook-secret",
     .env = "SQUAD_WEBHOOK_SECRET",
     .type = OPT_STR,
     .offset = offsetof(struct seed_conf, secret),
     .def = "",
     .metavar = "WHSEC",
     .secret = true,
     .help = "one signing secret for all (default: one each, public)"},
    {.name = "api-key",
     .env = "SQUAD_API_KEY",
     .type = OPT_STR,
     .offset = offsetof(struct seed_conf, api_key),
     .def = "",
     .metavar = "KEY",
     .secret = true,
     .help = "API key of the client (default: one is made and shown)"},
    {.name = "client",
     .type = OPT_STR,
     .offset = offsetof(struct seed_conf, client),
     .def = "demo",
     .metavar = "NAME",
     .help = "client that the API key belongs to"},
    {.name = "capacity",
     .type = OPT_INT,
     .offset = offsetof(struct seed_conf, capacity),
     .min = 1,
     .max = CAPACITY_MAX,
     .metavar = "N",
     .help = "for load tests: slots of each, no time-out of offers (default: 1 to 4)"},
    OPT_JSON(struct seed_conf),
    OPT_COMMON_BASE(struct seed_conf),
};

const struct command seed_command = {
    .name = "seed",
    .summary = "put in a small company to try squad with",
    .examples = "  squad seed                             # prints the API key it makes\n"
                "  SQUAD_API_KEY=my-own-key squad seed    # or takes yours\n"
                "  squad seed --capacity 1000             # room for a load test\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .conf_size = sizeof(struct seed_conf),
    .run = run,
};
