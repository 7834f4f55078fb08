-- When requirements are dropped, and how old a position may be. When people are told is read too, so that a change of
-- it is seen and all that wait are looked at again.
SELECT p.priority, p.relax_1_s, p.relax_2_s, p.relax_3_s, y.position_max_age_s, p.manager_s, p.customer_s
  FROM priority p, policy y ORDER BY p.priority
