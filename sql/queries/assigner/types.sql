-- What each known type of ticket needs; one row per type and skill.
SELECT t.type, t.priority, s.skill, s.min_level
  FROM ticket_type t LEFT JOIN ticket_type_skill s USING (type)
 ORDER BY t.type, s.skill
