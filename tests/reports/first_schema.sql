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
INSERT INTO "reports" VALUES('c328d05e60714f9dae2ae0383b0db3d3','琴吹䌷','QinChuiChou-c328d05e60714f9dae2ae0383b0db3d3.png',2139,'971e776ffa6be92aa030aa683bcdbc55726d5bfa04967c91a577fbc9d308095b','hatsune_miku',0.25,NULL,NULL,'hm','2026-11-27 03:43:19.691349','pending',1,0,0);
CREATE TABLE storage (
	id INTEGER NOT NULL, 
	bytes BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "storage" VALUES(1,2139);
CREATE TABLE submissions (
	token VARCHAR(64) NOT NULL, 
	report_id VARCHAR(32) NOT NULL, 
	note TEXT, 
	created_at DATETIME NOT NULL, 
	withdrawn_at DATETIME, 
	PRIMARY KEY (token), 
	FOREIGN KEY(report_id) REFERENCES reports (id)
);
INSERT INTO "submissions" VALUES('token-of-a-visitor','c328d05e60714f9dae2ae0383b0db3d3','hm','2026-11-27 03:43:19.691349',NULL);
CREATE INDEX reports_by_state ON reports (state, created_at);
CREATE INDEX ix_submissions_report_id ON submissions (report_id);
COMMIT;
