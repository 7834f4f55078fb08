/* squad migrate: applies the migrations that the command carries. */
#include "command.h"
#include "db.h"
#include "loop.h"
#include "migrations.h"
#include "out.h"
#include "sql.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHA_HEX_MAX = 2 * SHA256_DIGEST_LENGTH + 1, CONNECT_WAIT_MS = 30000 };

struct migrate_conf {
    struct conf_common common;
    bool dry_run;
};

static void checksum(const char *text, char ret_hex[SHA_HEX_MAX])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text, strlen(text), digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
}

static int lock(struct pg *pg, struct err *reterr)
{
    bool locked = false;
    if (db_get_bool(pg, sql_migrate_try_lock, "lock the migrations", &locked, reterr))
        return -1;
    if (locked)
        return 0;
    fprintf(stderr, "another squad migrate is at work; waiting for it\n");
    _cleanup_result_ PGresult *res = PQexec(pg_conn(pg), sql_migrate_lock);
    if (PQresultStatus(res) != PGRES_TUPLES_OK)
        return pg_err(reterr, pg_conn(pg), res, "lock the migrations");
    return 0;
}

/* Rows of squad.migration; NULL result in an empty database. */
static int read_applied(struct pg *pg, PGresult **ret, struct err *reterr)
{
    bool registered = false;
    *ret = NULL;
    if (db_get_bool(pg, sql_migrate_registered, "look for squad.migration", &registered, reterr))
        return -1;
    if (!registered)
        return 0;
    PGresult *res = PQexec(pg_conn(pg), sql_migrate_applied);
    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        pg_err(reterr, pg_conn(pg), res, "read squad.migration");
        PQclear(res);
        return -1;
    }
    *ret = res;
    return 0;
}

/* An applied migration must be the one that this program carries. */
static int check_applied(const PGresult *res, int row, const struct migration_file *file,
                         struct err *reterr)
{
    const char *name = pg_get_text(res, row, 1), *sum = pg_get_text(res, row, 2);
    char mine[SHA_HEX_MAX];
    checksum(file->text, mine);
    const char *underscore = strchr(file->name, '_');
    if (strcmp(name, underscore ? underscore + 1 : file->name) != 0)
        return err_fatal(reterr, EXIT_SCHEMA,
                         "migration %d of this database is \"%s\", this program has \"%s\"",
                         row + 1, name, file->name);
    if (!sum || strcmp(sum, mine) == 0)
        return 0;
    err_fatal(reterr, EXIT_SCHEMA,
              "migration %s has changed since it was applied to this database (SHA-256 %.12s..., "
              "now %.12s...)",
              file->name, sum, mine);
    return err_hint(reterr, "A migration is never changed once applied: use the squad of that "
                            "version, and put changes into a new file.");
}

struct apply {
    const struct migration_file *file;
};

static int apply(struct pg *pg, void *ctx, struct err *reterr)
{
    const struct apply *a = ctx;
    char sum[SHA_HEX_MAX];
    checksum(a->file->text, sum);
    if (db_set_local(pg, "squad.migration_checksum", sum, reterr))
        return -1;
    return db_run_file(pg, a->file->name, a->file->text, reterr);
}

static int apply_one(struct pg *pg, const struct migration_file *file, bool dry_run,
                     struct err *reterr)
{
    char span[OUT_TEXT_MAX];
    if (dry_run) {
        printf("%-20s  to be applied\n", file->name);
        return 0;
    }
    uint64_t begin_us = now_us();
    struct apply a = {.file = file};
    out_progress("applying %s", file->name);
    if (pg_tx(pg, file->name, apply, &a, reterr)) {
        if (reterr->kind != ERR_RETRY)
            err_hint(reterr, "Nothing of %s was kept; what was applied before it stays.",
                     file->name);
        return -1;
    }
    out_progress_end();
    printf("%-20s  applied in %s\n", file->name, out_span(span, (int64_t)(now_us() - begin_us)));
    return 0;
}

static int migrate(struct pg *pg, const struct migrate_conf *conf, struct err *reterr)
{
    _cleanup_result_ PGresult *res = NULL;
    if (lock(pg, reterr) || read_applied(pg, &res, reterr))
        return -1;
    size_t applied = res ? (size_t)PQntuples(res) : 0;
    for (size_t i = 0; i < applied && i < migration_count; i++)
        if (check_applied(res, (int)i, &migration_files[i], reterr))
            return -1;
    for (size_t i = 0; i < applied; i++) {
        char at[OUT_TEXT_MAX];
        printf("%04d_%-15s  applied %s by %s%s\n", (int)i + 1, pg_get_text(res, (int)i, 1),
               out_time(at, pg_get_int8(res, (int)i, 3)), pg_get_text(res, (int)i, 4),
               i >= migration_count                  ? " (newer than this program)"
               : pg_get_text(res, (int)i, 2) == NULL ? " (by hand, without checksum)"
                                                     : "");
    }
    for (size_t i = applied; i < migration_count; i++)
        if (apply_one(pg, &migration_files[i], conf->dry_run, reterr))
            return -1;
    size_t version = conf->dry_run || applied > migration_count ? applied : migration_count;
    printf("schema of database \"%s\" is at version %zu%s\n", PQdb(pg_conn(pg)), version,
           applied >= migration_count ? ", nothing to do" : "");
    return EXIT_OK;
}

static int run(const void *arg, char *const *operands, struct err *reterr)
{
    const struct migrate_conf *conf = arg;
    struct pg_options options = {.conninfo = conf->common.db, .any_schema = true};
    _cleanup_pg_ struct pg *pg = NULL;
    (void)operands;
    if (db_open(&pg, &options, CONNECT_WAIT_MS, reterr))
        return -1;
    return migrate(pg, conf, reterr);
}

static const struct opt opts[] = {
    {.name = "dry-run",
     .type = OPT_BOOL,
     .offset = offsetof(struct migrate_conf, dry_run),
     .help = "only say what would be applied"},
    OPT_COMMON_BASE(struct migrate_conf),
};

const struct command migrate_command = {
    .name = "migrate",
    .summary = "bring the schema of the database to this version",
    .examples = "  squad migrate --dry-run\n"
                "  SQUAD_DB='host=db1 dbname=squad user=postgres' squad migrate\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
    .conf_size = sizeof(struct migrate_conf),
    .run = run,
};
