-- What the copy says was published: its transactions had returned from their commit.
SELECT rows_total, transactions_total FROM squad.relay_progress WHERE relay = $1
