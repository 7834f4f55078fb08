-- What each known type of ticket needs; one row per type and skill.
SELECT t.type, t.priority, t.duration_s, t.offers_max, array_to_string(t.objectives, ',') AS objectives,
       s.skill, s.min_level, s.importance
  FROM ticket_type t LEFT JOIN ticket_type_skill s USING (type)
 ORDER BY t.type, s.skill
