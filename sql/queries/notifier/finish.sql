-- Final results, set-wise; columns as retry. $7: leave those whose rows somebody holds, instead of waiting; their state
-- is 'locked'.
SELECT notice_id, notice_state, assignment_state
  FROM notice_finish($1::uuid[], $2::integer[], $5::boolean[], $3::integer[], $4::text[], $6, $7::boolean)
