SELECT squad.outbox_extend(2)
