-- Final results, set-wise. $6: leave those whose rows somebody holds, instead of waiting; their state is 'locked'.
SELECT notice_id, notice_state, assignment_state
  FROM notice_finish($1::uuid[], $2::boolean[], $3::integer[], $4::text[], $5, $6::boolean)
