SELECT version, name, checksum, (extract(epoch FROM applied_at) * 1000000)::bigint AS applied_at_us, applied_by
  FROM squad.migration ORDER BY version
