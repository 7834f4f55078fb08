"""The private stack of squad: PostgreSQL, Kafka, the four programs and a webhook receiver."""
