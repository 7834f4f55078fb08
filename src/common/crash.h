/*
 * crash.h - named places where a test lets the process die or freeze.
 *
 * Compiled into a fault build only (make FAULT=1); anywhere else CRASH_POINT is
 * nothing and the programs contain no trace of it. Names are step.before and
 * step.after, behind the program's name: relay.commit.after. A name that
 * begins with a dot, in src/common, gets the name of the program that runs.
 *
 *   SQUAD_CRASH=list                    print the program's points and exit
 *   SQUAD_CRASH=relay.commit.after:3:kill   SIGKILL at the third passing
 *   SQUAD_CRASH=relay.commit.after:3:stop   SIGSTOP of all threads; SIGCONT goes on
 *   SQUAD_CRASH_FILE=PATH               the same three words in a file, looked at on each
 *                                       passing: arms a running process, or the next one
 *
 * The n-th passing is counted since the plan was seen. The file is renamed to
 * PATH.fired just before, so that the restarted process lives and the test knows.
 */
#pragma once

#ifdef SQUAD_FAULT

/* Thread-safe. name: static. */
void crash_point(const char *name);

/* The name goes into a section of its own, which is the list of all points. */
#define CRASH_POINT(name)                                                                          \
    do {                                                                                           \
        static const char *const crash_name_ __attribute__((section("crash_points"), used)) =      \
            (name);                                                                                \
        crash_point(crash_name_);                                                                  \
    } while (0)

#else

#define CRASH_POINT(name) ((void)0)

#endif
