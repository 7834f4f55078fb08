/*
 * markers.h - is what was committed visible?
 *
 * Kafka answers a commit when it is decided. The markers that make it visible follow, and a broker
 * that is killed or frozen then can leave some of them out (docs/design.md). A partition's records
 * are visible up to its last stable offset.
 */
#pragma once

#include "err.h"
#include "opt.h"

#include <librdkafka/rdkafka.h>

struct markers;

/* Returns owned. Does not connect. */
int markers_open(struct markers **ret, const struct conf_common *common, struct err *reterr);
void markers_close(struct markers *m); /* NULL is fine */

/* What was just committed: of each partition the offset behind its last record. Takes the list;
 * what was expected before must have been seen. */
void markers_expect(struct markers *m, rd_kafka_topic_partition_list_t *ends);

/* Asks Kafka once, if there is something to ask, for up to 3 s; longer where it has to find the
 * leaders anew. *ret_visible: all that was expected can be read. ERR_RETRY: three seconds after
 * markers_expect it could not. What Kafka refuses by then: as kafka_err. */
int markers_look(struct markers *m, bool *ret_visible, struct err *reterr);
