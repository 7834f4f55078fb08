-- Holds the tickets: those that have been seen by their rows of dispatch, in one order for all programs, then the others
-- by themselves. decide's foreign key would hold these only at the end of its statement, when its events have their seq:
-- a change by the customer (ticket_amend) could still be written behind them and committed before.
WITH seen AS MATERIALIZED (
    SELECT ticket_id FROM dispatch WHERE ticket_id = ANY ($1::uuid[]) ORDER BY ticket_id FOR UPDATE
)
SELECT FROM unseen_tickets_hold(ARRAY(SELECT t FROM unnest($1::uuid[]) AS t EXCEPT SELECT ticket_id FROM seen))
