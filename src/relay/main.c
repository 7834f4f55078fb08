/* squad-relay: publishes the outbox to Kafka, exactly once. */
#include "log.h"
#include "loop.h"
#include "relay.h"

static const char *const poison_names[] = {"skip", "block", NULL};

static const struct opt opts[] = {
    OPT_COMMON(struct relay_conf),
    {.name = "batch-max",
     .env = "SQUAD_RELAY_BATCH_MAX",
     .type = OPT_INT,
     .offset = offsetof(struct relay_conf, batch_max),
     .def = "5000",
     .min = 1,
     .max = 10000,
     .metavar = "ROWS",
     .help = "rows in one Kafka transaction"},
    {.name = "gather",
     .env = "SQUAD_RELAY_GATHER_MS",
     .type = OPT_INT,
     .offset = offsetof(struct relay_conf, gather_ms),
     .def = "20",
     .min = 0,
     .max = 1000,
     .metavar = "MS",
     .help = "the most that rows gather for a transaction, at 4,000 a second; fewer gather less"},
    {.name = "tick-busy",
     .env = "SQUAD_RELAY_TICK_BUSY_MS",
     .type = OPT_INT,
     .offset = offsetof(struct relay_conf, tick_busy_ms),
     .def = "2",
     .min = 1,
     .max = 1000,
     .metavar = "MS",
     .help = "pause between reads while rows come"},
    {.name = "tick-idle",
     .env = "SQUAD_RELAY_TICK_IDLE_MS",
     .type = OPT_INT,
     .offset = offsetof(struct relay_conf, tick_idle_ms),
     .def = "50",
     .min = 1,
     .max = 10000,
     .metavar = "MS",
     .help = "pause between reads when idle"},
    {.name = "transaction-timeout",
     .env = "SQUAD_RELAY_TRANSACTION_TIMEOUT_MS",
     .type = OPT_INT,
     .offset = offsetof(struct relay_conf, transaction_ms),
     .def = "10000",
     .min = 1000,
     .max = 900000,
     .metavar = "MS",
     .help = "after this Kafka aborts an abandoned transaction"},
    {.name = "leader-timeout",
     .env = "SQUAD_RELAY_LEADER_TIMEOUT_MS",
     .type = OPT_INT,
     .offset = offsetof(struct relay_conf, leader_ms),
     .def = "15000",
     .min = 2000,
     .max = 3600000,
     .metavar = "MS",
     .help = "after this a leader that is frozen or cut off loses the lead"},
    {.name = "poison",
     .env = "SQUAD_RELAY_POISON",
     .type = OPT_ENUM,
     .offset = offsetof(struct relay_conf, poison),
     .def = "skip",
     .choices = poison_names,
     .metavar = "POLICY",
     .help = "skip: a row Kafka can not take is a dead letter; block: later rows of its key too"},
};

static const struct opt_set set = {
    .program = "squad-relay",
    .summary = "publishes the outbox to Kafka, exactly once and in order",
    .examples = "  squad-relay --db 'host=db dbname=squad' --kafka kafka:9092\n"
                "  squad-relay --drain            publish what is there and exit\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof *opts,
};

int main(int argc, char **argv)
{
    static struct relay_conf conf;
    struct loop *loop = NULL;
    struct err err = {0};
    loop_block_signals();
    opt_start(&set, argc, argv, &conf);
    int failed = loop_new(&loop, &err) || relay_run(&conf, loop, &err);
    loop_free(loop);
    if (failed) {
        log_err(LOG_ERROR, "relay stops", &err);
        return (int)err.exit_code;
    }
    LOG(INFO, "stopped");
    return EXIT_OK;
}
