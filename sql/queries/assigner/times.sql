-- When requirements are dropped, and how old a position may be.
SELECT p.priority, p.relax_1_s, p.relax_2_s, p.relax_3_s, y.position_max_age_s
  FROM priority p, policy y ORDER BY p.priority
