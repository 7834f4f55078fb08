-- Gives the programs' roles their passwords, from the environment. The migrations made the roles and
-- their grants; repeating this is safe.
\set ON_ERROR_STOP on
\getenv intake SQUAD_INTAKE_PASSWORD
\getenv relay SQUAD_RELAY_PASSWORD
\getenv assigner SQUAD_ASSIGNER_PASSWORD
\getenv notifier SQUAD_NOTIFIER_PASSWORD
-- The statements carry passwords: keep them out of the server's log.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
ALTER ROLE squad_intake PASSWORD :'intake';
ALTER ROLE squad_relay PASSWORD :'relay';
ALTER ROLE squad_assigner PASSWORD :'assigner';
ALTER ROLE squad_notifier PASSWORD :'notifier';
