-- What the Kyara of commit 795177c (2026-11-21) wrote into reports.db, as SQLite dumps it.
BEGIN TRANSACTION;
CREATE TABLE reports (
	id VARCHAR(32) NOT NULL, 
	label VARCHAR(200) NOT NULL, 
	file VARCHAR(120) NOT NULL, 
	file_bytes BIGINT NOT NULL, 
	pixels_sha256 VARCHAR(64), 
	predicted VARCHAR(200), 
	confidence DOUBLE, 
	model_version VARCHAR(100), 
	box JSON, 
	note TEXT, 
	created_at DATETIME NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	count INTEGER NOT NULL, 
	adopted BOOLEAN NOT NULL, 
	file_missing BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT one_report_per_label_and_pixels UNIQUE (label, pixels_sha256), 
	UNIQUE (file)
);
INSERT INTO "reports" VALUES('810b02eeaeb24e7e8716db6edb6cf02d','aka_ribbon','aka_ribbon-810b02eeaeb24e7e8716db6edb6cf02d.png',2212,'971e776ffa6be92aa030aa683bcdbc55726d5bfa04967c91a577fbc9d308095b','ao_glasses',0.75,'faces-46 1a2b3c','{"x": -3, "y": 4, "width": 50, "height": 60}','She wears the ribbon.
Always.','2026-11-27 06:44:30.352799','pending',2,0,0);
INSERT INTO "reports" VALUES('8ef546f08a1f47de9037bcf503649829','琴吹䌷','QinChuiChou-8ef546f08a1f47de9037bcf503649829.png',2124,'5efdeffdf6ecaef15e8871dd53eef536f08227ebba2a0bc7c73080a9eb9dd07c',NULL,NULL,NULL,NULL,NULL,'2026-11-27 06:44:30.377257','pending',1,0,0);
INSERT INTO "reports" VALUES('b85134afc5b4441b9469f75d4d4e7b6e','not_a_face','not_a_face-b85134afc5b4441b9469f75d4d4e7b6e.png',2124,'097a734f4ad52dcb85bd147c0fa5d9c0a95099091acc3181daa3a97b7d1ea72c',NULL,NULL,NULL,NULL,NULL,'2026-11-27 06:44:30.385584','pending',1,0,0);
INSERT INTO "reports" VALUES('2e6917a4db154ec4b410ba7372ef7017','ao_glasses','ao_glasses-2e6917a4db154ec4b410ba7372ef7017.png',0,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-27 06:44:30.390627','withdrawn',0,0,0);
CREATE TABLE storage (
	id INTEGER NOT NULL, 
	bytes BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "storage" VALUES(1,6460);
CREATE TABLE submissions (
	token VARCHAR(64) NOT NULL, 
	report_id VARCHAR(32) NOT NULL, 
	note TEXT, 
	created_at DATETIME NOT NULL, 
	withdrawn_at DATETIME, 
	PRIMARY KEY (token), 
	FOREIGN KEY(report_id) REFERENCES reports (id)
);
INSERT INTO "submissions" VALUES('visitor-one','810b02eeaeb24e7e8716db6edb6cf02d','She wears the ribbon.
Always.','2026-11-27 06:44:30.352799',NULL);
INSERT INTO "submissions" VALUES('visitor-two','810b02eeaeb24e7e8716db6edb6cf02d','紅いリボン','2026-11-27 06:44:30.366851',NULL);
INSERT INTO "submissions" VALUES('visitor-three','8ef546f08a1f47de9037bcf503649829',NULL,'2026-11-27 06:44:30.377257',NULL);
INSERT INTO "submissions" VALUES('visitor-four','b85134afc5b4441b9469f75d4d4e7b6e',NULL,'2026-11-27 06:44:30.385584',NULL);
INSERT INTO "submissions" VALUES('visitor-five','2e6917a4db154ec4b410ba7372ef7017',NULL,'2026-11-27 06:44:30.390627','2026-11-27 06:44:30.396077');
CREATE INDEX reports_by_state ON reports (state, created_at);
CREATE INDEX ix_submissions_report_id ON submissions (report_id);
COMMIT;
