#include "crash.h"

#ifdef SQUAD_FAULT

#include "err.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 80, PLAN_MAX_LEN = NAME_MAX_LEN + 32 };

struct plan {
    char text[PLAN_MAX_LEN];
    char name[NAME_MAX_LEN];
    int passings; /* still to come */
    int signal;
};

/* The linker's names for the ends of the section. */
extern const char *const __start_crash_points[];
extern const char *const __stop_crash_points[];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct plan plan; /* without a name: none */
static const char *plan_file;

/* A point of src/common belongs to the program that runs. */
static void full_name(const char *name, char *buf, size_t size)
{
    const char *program = program_invocation_short_name;
    if (strncmp(program, "squad-", 6) == 0)
        program += 6;
    snprintf(buf, size, "%s%s", *name == '.' ? program : "", name);
}

static bool known(const char *name)
{
    char full[NAME_MAX_LEN];
    for (const char *const *p = __start_crash_points; p < __stop_crash_points; p++) {
        full_name(*p, full, sizeof full);
        if (strcmp(full, name) == 0)
            return true;
    }
    return false;
}

static bool parse(struct plan *p, const char *text)
{
    char action[8] = "";
    *p = (struct plan){0};
    snprintf(p->text, sizeof p->text, "%s", text);
    if (sscanf(text, "%79[a-z0-9._]:%d:%7[a-z]", p->name, &p->passings, action) == 3 &&
        p->passings > 0 && known(p->name)) {
        p->signal = strcmp(action, "kill") == 0   ? SIGKILL
                    : strcmp(action, "stop") == 0 ? SIGSTOP
                                                  : 0;
        if (p->signal)
            return true;
    }
    LOG(ERROR, "not a crash plan of this program", F_STR("plan", text));
    *p->name = '\0';
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_all(void)
{
    size_t n = (size_t)(__stop_crash_points - __start_crash_points);
    const char **sorted = malloc(n * sizeof *sorted);
    char full[NAME_MAX_LEN], last[NAME_MAX_LEN] = "";
    if (!sorted)
        abort();
    memcpy(sorted, __start_crash_points, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare);
    for (size_t i = 0; i < n; i++) {
        full_name(sorted[i], full, sizeof full);
        if (strcmp(full, last) != 0)
            puts(full);
        memcpy(last, full, sizeof last);
    }
    free(sorted);
}

__attribute__((constructor)) static void start(void)
{
    const char *text = getenv("SQUAD_CRASH");
    plan_file = getenv("SQUAD_CRASH_FILE");
    if (!text)
        return;
    if (strcmp(text, "list") == 0) {
        print_all();
        exit(EXIT_OK);
    }
    if (!parse(&plan, text))
        exit(EXIT_CONFIG);
}

/* A file that has gone, or says something else, is another plan. */
static void look_at_file(void)
{
    char text[PLAN_MAX_LEN] = "";
    int fd = open(plan_file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (strcmp(text, plan.text) == 0)
        return;
    if (*text)
        parse(&plan, text);
    else
        plan = (struct plan){0};
}

static void fire(const char *name)
{
    char fired[4096];
    int signal = plan.signal;
    LOG(WARN, "crash point", F_STR("name", name),
        F_STR("signal", signal == SIGKILL ? "KILL" : "STOP"));
    if (plan_file) {
        snprintf(fired, sizeof fired, "%s.fired", plan_file);
        rename(plan_file, fired);
    }
    plan = (struct plan){0};
    kill(getpid(), signal);
}

void crash_point(const char *name)
{
    char full[NAME_MAX_LEN];
    pthread_mutex_lock(&lock);
    if (plan_file)
        look_at_file();
    if (*plan.name) {
        full_name(name, full, sizeof full);
        if (strcmp(full, plan.name) == 0 && --plan.passings == 0)
            fire(full);
    }
    pthread_mutex_unlock(&lock);
}

#endif
