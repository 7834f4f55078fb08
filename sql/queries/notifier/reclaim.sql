-- What this very instance held when it was killed is due at once; a row that somebody holds, when its claim ends.
-- Notices that wait for their next attempt are held by nobody.
UPDATE notice SET next_attempt_at = clock_timestamp()
 WHERE id IN (SELECT n.id FROM notice n
               WHERE n.state = 'sending' AND n.claimed_by = $1 AND n.next_attempt_at > clock_timestamp()
                 FOR UPDATE SKIP LOCKED)
