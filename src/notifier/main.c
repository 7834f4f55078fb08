/* squad-notifier: tells the experts, the manager and the customers. */
#include "log.h"
#include "notifier.h"

static const struct opt opts[] = {
    OPT_COMMON(struct notifier_conf),
    {.name = "concurrency",
     .env = "SQUAD_NOTIFIER_CONCURRENCY",
     .type = OPT_INT,
     .offset = offsetof(struct notifier_conf, concurrency),
     .def = "256",
     .min = 1,
     .max = 10000,
     .metavar = "NOTICES",
     .help = "notices in flight at once"},
    {.name = "per-host",
     .env = "SQUAD_NOTIFIER_PER_HOST",
     .type = OPT_INT,
     .offset = offsetof(struct notifier_conf, per_host),
     .def = "64",
     .min = 1,
     .max = 10000,
     .metavar = "N",
     .help = "notices in flight to one host"},
    {.name = "gather",
     .env = "SQUAD_NOTIFIER_GATHER_MS",
     .type = OPT_INT,
     .offset = offsetof(struct notifier_conf, gather_ms),
     .def = "20",
     .min = 0,
     .max = 1000,
     .metavar = "MS",
     .help = "from one turn at the table to the next: answers and new notices gather"},
    {.name = "sweep-interval",
     .env = "SQUAD_NOTIFIER_SWEEP_MS",
     .type = OPT_INT,
     .offset = offsetof(struct notifier_conf, sweep_ms),
     .def = "250",
     .min = 10,
     .max = 60000,
     .metavar = "MS",
     .help = "how often due notices are looked for without an event"},
    {.name = "public-url",
     .env = "SQUAD_PUBLIC_URL",
     .type = OPT_STR,
     .offset = offsetof(struct notifier_conf, public_url),
     .def = "",
     .metavar = "URL",
     .help =
         "intake as experts reach it, put before the addresses in messages; no slash at its end"},
    {.name = "company-webhook",
     .env = "SQUAD_COMPANY_WEBHOOK",
     .type = OPT_STR,
     .offset = offsetof(struct notifier_conf, company_webhook),
     .metavar = "URL",
     .help = "where the manager and customers are told that a ticket waits too long"},
    {.name = "company-secret",
     .env = "SQUAD_COMPANY_SECRET",
     .type = OPT_STR,
     .offset = offsetof(struct notifier_conf, company_secret),
     .metavar = "WHSEC",
     .secret = true,
     .help = "signs what goes to --company-webhook: whsec_ and base 64"},
};

static const struct opt_set set = {
    .program = "squad-notifier",
    .summary = "delivers notices: signed webhooks, tried again until they arrive",
    .examples = "  squad-notifier --db 'host=db dbname=squad' --kafka kafka:9092 --instance a\n"
                "  squad-notifier --drain         deliver what is due and exit\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
};

int main(int argc, char **argv)
{
    static struct notifier_conf conf;
    struct loop *loop = NULL;
    struct err err = {0};
    loop_block_signals();
    opt_start(&set, argc, argv, &conf);
    int failed = loop_new(&loop, &err) || notifier_run(&conf, loop, &err);
    loop_free(loop);
    if (failed) {
        log_err(LOG_ERROR, "notifier stops", &err);
        return (int)err.exit_code;
    }
    LOG(INFO, "stopped");
    return EXIT_OK;
}
