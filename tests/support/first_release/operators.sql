-- What the Kyara of commit 54a25b0 (2026-11-27) wrote into operators.db, as SQLite dumps it.
BEGIN TRANSACTION;
CREATE TABLE login_failures (
	subject VARCHAR(120) NOT NULL, 
	failures INTEGER NOT NULL, 
	last_at DATETIME NOT NULL, 
	blocked_until DATETIME NOT NULL, 
	PRIMARY KEY (subject)
);
INSERT INTO "login_failures" VALUES('account:rin',1,'2026-11-27 06:44:32.029064','2026-11-27 06:44:32.029064');
INSERT INTO "login_failures" VALUES('address:s',1,'2026-11-27 06:44:32.029064','2026-11-27 06:44:32.029064');
CREATE TABLE operators (
	name VARCHAR(40) NOT NULL, 
	password_hash VARCHAR(300) NOT NULL, 
	created_at DATETIME NOT NULL, 
	changed_at DATETIME NOT NULL, 
	last_login_at DATETIME, 
	PRIMARY KEY (name)
);
INSERT INTO "operators" VALUES('rin','$argon2id$v=19$m=65536,t=3,p=4$aKZ2wxUIyXOZCpgKHkdifw$2WtFHTW6axmE2LNR/Zmig/WuM1glz6HdpdK9u9w5ETM','2026-11-27 06:44:31.724043','2026-11-27 06:44:31.724043','2026-11-27 06:44:31.781782');
CREATE TABLE sessions (
	token_sha256 VARCHAR(64) NOT NULL, 
	operator VARCHAR(40) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (token_sha256), 
	FOREIGN KEY(operator) REFERENCES operators (name)
);
INSERT INTO "sessions" VALUES('4d13fd018ce44d3425dfb6c762c10e288ba3ac5b3877131ed6306d8b36829169','rin','2026-11-27 06:44:31.781782');
CREATE INDEX ix_sessions_operator ON sessions (operator);
COMMIT;
