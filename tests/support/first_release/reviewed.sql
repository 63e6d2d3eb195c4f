-- What the Kyara of commit 0cc10b9 (2026-11-29) wrote into reports.db, as SQLite dumps it.
BEGIN TRANSACTION;
CREATE TABLE alembic_version_reports (
	version_num VARCHAR(32) NOT NULL, 
	PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version_reports" VALUES('0002');
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
	reviewed_label VARCHAR(200), 
	reviewed_by VARCHAR(40), 
	reviewed_at DATETIME, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT one_report_per_label_and_pixels UNIQUE (label, pixels_sha256), 
	UNIQUE (file)
);
INSERT INTO "reports" VALUES('2d056222545347609748e0057bd2222e','luka','luka-2d056222545347609748e0057bd2222e.png',2117,'971e776ffa6be92aa030aa683bcdbc55726d5bfa04967c91a577fbc9d308095b',NULL,NULL,NULL,NULL,NULL,'2026-11-29 03:48:04.121251','rejected',1,0,0,NULL,'rin','2026-11-29 03:48:04.193784',1);
INSERT INTO "reports" VALUES('4aac094b05ed43b5867847fcfcda1113','luka','luka-4aac094b05ed43b5867847fcfcda1113.png',2117,'5efdeffdf6ecaef15e8871dd53eef536f08227ebba2a0bc7c73080a9eb9dd07c',NULL,NULL,NULL,NULL,NULL,'2026-11-29 03:48:04.169518','rejected',1,0,0,'not_a_face','len','2026-11-29 03:48:04.246550',2);
CREATE TABLE review_steps (
	id VARCHAR(64) NOT NULL, 
	operator VARCHAR(40) NOT NULL, 
	action VARCHAR(16) NOT NULL, 
	request TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	undoes VARCHAR(64), 
	undone_at DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "review_steps" VALUES('step-of-rin','rin','reject','{"action": "reject", "label": null, "reports": ["2d056222545347609748e0057bd2222e", "4aac094b05ed43b5867847fcfcda1113"]}','2026-11-29 03:48:04.193784',NULL,NULL);
INSERT INTO "review_steps" VALUES('step-of-len','len','not_a_face','{"action": "not_a_face", "label": null, "reports": ["4aac094b05ed43b5867847fcfcda1113"]}','2026-11-29 03:48:04.246550',NULL,NULL);
CREATE TABLE reviews (
	id INTEGER NOT NULL, 
	step VARCHAR(64) NOT NULL, 
	report_id VARCHAR(32) NOT NULL, 
	"before" JSON NOT NULL, 
	"after" JSON NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(step) REFERENCES review_steps (id), 
	FOREIGN KEY(report_id) REFERENCES reports (id)
);
INSERT INTO "reviews" VALUES(1,'step-of-rin','2d056222545347609748e0057bd2222e','{"state": "pending", "label": null}','{"state": "rejected", "label": null}');
INSERT INTO "reviews" VALUES(2,'step-of-rin','4aac094b05ed43b5867847fcfcda1113','{"state": "pending", "label": null}','{"state": "rejected", "label": null}');
INSERT INTO "reviews" VALUES(3,'step-of-len','4aac094b05ed43b5867847fcfcda1113','{"state": "rejected", "label": null}','{"state": "rejected", "label": "not_a_face"}');
CREATE TABLE settings (
	name VARCHAR(40) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE storage (
	id INTEGER NOT NULL, 
	bytes BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "storage" VALUES(1,4234);
CREATE TABLE submissions (
	token VARCHAR(64) NOT NULL, 
	report_id VARCHAR(32) NOT NULL, 
	note TEXT, 
	created_at DATETIME NOT NULL, 
	withdrawn_at DATETIME, 
	sender VARCHAR(32), 
	PRIMARY KEY (token), 
	FOREIGN KEY(report_id) REFERENCES reports (id)
);
INSERT INTO "submissions" VALUES('visitor-one','2d056222545347609748e0057bd2222e',NULL,'2026-11-29 03:48:04.121251',NULL,NULL);
INSERT INTO "submissions" VALUES('visitor-two','4aac094b05ed43b5867847fcfcda1113',NULL,'2026-11-29 03:48:04.169518',NULL,NULL);
CREATE INDEX reports_by_state ON reports (state, created_at);
CREATE INDEX ix_review_steps_operator ON review_steps (operator);
CREATE INDEX ix_submissions_sender ON submissions (sender);
CREATE INDEX ix_submissions_report_id ON submissions (report_id);
CREATE INDEX ix_reviews_step ON reviews (step);
CREATE INDEX ix_reviews_report_id ON reviews (report_id);
COMMIT;
