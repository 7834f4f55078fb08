-- What this very instance held when it was killed is due at once. Notices that wait for their next
-- attempt are held by nobody.
UPDATE notice SET next_attempt_at = clock_timestamp()
 WHERE state = 'sending' AND claimed_by = $1 AND next_attempt_at > clock_timestamp()
