-- $1 client, $2 ticket, $3 version or null, $4 what changes, $5 who, $6 traceparent. (outcome, sentence);
-- on ok the ticket is read by a statement of its own, which sees the change.
SELECT o.outcome, CASE o.outcome WHEN 'not-found' THEN 'You have no ticket with this reference.'
                                 WHEN 'changed' THEN 'The ticket has changed since the version in If-Match.'
                                 WHEN 'conflict' THEN 'The ticket is done or called off, or an expert is on the way.' END
  FROM ticket_amend($1::integer, $2::uuid, $3::text, $4::jsonb, $5::text, $6::text) AS o (outcome)
