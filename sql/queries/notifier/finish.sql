-- Final results, set-wise.
SELECT notice_id, notice_state, assignment_state
  FROM notice_finish($1::uuid[], $2::boolean[], $3::integer[], $4::text[], $5)
