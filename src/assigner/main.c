/* squad-assigner: gives each ticket one right expert. */
#include "assigner.h"
#include "log.h"

#define NUMBER(flag, variable, field, default_text, least, most, unit, text)                       \
    {                                                                                              \
        .name = flag, .env = variable, .type = OPT_INT,                                            \
        .offset = offsetof(struct assigner_conf, field), .def = default_text, .min = least,        \
        .max = most, .metavar = unit, .help = text                                                 \
    }

static const struct opt opts[] = {
    OPT_COMMON(struct assigner_conf),
    NUMBER("batch-max", "SQUAD_ASSIGNER_BATCH_MAX", batch_max, "500", 1, 5000, "TICKETS",
           "tickets decided in one transaction"),
    NUMBER("refresh-interval", "SQUAD_ASSIGNER_REFRESH_MS", refresh_ms, "200", 10, 60000, "MS",
           "how often the roster is compared with the database"),
    NUMBER("sweep-interval", "SQUAD_ASSIGNER_SWEEP_MS", sweep_ms, "3000", 100, 600000, "MS",
           "how often tickets are looked for that no event has brought"),
    NUMBER("sweep-age", "SQUAD_ASSIGNER_SWEEP_AGE_MS", sweep_age_ms, "3000", 0, 600000, "MS",
           "least age of such a ticket"),
    {.name = "no-advisory-locks",
     .type = OPT_BOOL,
     .offset = offsetof(struct assigner_conf, no_advisory_locks),
     .help = "lock no expert before the check: slower, for tests of the constraints"},
};

static const struct opt_set set = {
    .program = "squad-assigner",
    .summary = "gives each ticket exactly one right expert",
    .examples = "  squad-assigner --db 'host=db dbname=squad' --kafka kafka:9092 --instance a\n"
                "  squad-assigner --drain         decide about what is there and exit\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
};

int main(int argc, char **argv)
{
    static struct assigner_conf conf;
    struct loop *loop = NULL;
    struct err err = {0};
    loop_block_signals();
    opt_start(&set, argc, argv, &conf);
    int failed = loop_new(&loop, &err) || assigner_run(&conf, loop, &err);
    loop_free(loop);
    if (failed) {
        log_err(LOG_ERROR, "assigner stops", &err);
        return (int)err.exit_code;
    }
    LOG(INFO, "stopped");
    return EXIT_OK;
}
