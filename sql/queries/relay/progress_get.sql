SELECT rows_total, system_identifier FROM squad.relay_progress WHERE relay = $1
