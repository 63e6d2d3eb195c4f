-- What the Kyara of commit 0cc10b9 (2026-11-29) wrote into labels.db, as SQLite dumps it.
BEGIN TRANSACTION;
CREATE TABLE actions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE, operator TEXT NOT NULL, at TEXT NOT NULL,
        undoes INTEGER UNIQUE REFERENCES actions (number),
        request TEXT NOT NULL
    );
INSERT INTO "actions" VALUES(1,'action-1','aya','2026-11-29T03:11:46.482+00:00',NULL,'{"faces": {"face0000": null, "face0001": null}, "label": "simpsons/burns"}');
INSERT INTO "actions" VALUES(2,'action-2','aya','2026-11-29T03:11:46.497+00:00',NULL,'{"faces": {"face0000": "action-1"}, "label": "two"}');
INSERT INTO "actions" VALUES(3,'action-3','botan','2026-11-29T03:11:46.508+00:00',NULL,'{"faces": {"face0002": null}, "label": "not_a_face"}');
INSERT INTO "actions" VALUES(4,'action-4','aya','2026-11-29T03:11:46.512+00:00',2,'{"undoes": "action-2"}');
INSERT INTO "actions" VALUES(5,'action-5','botan','2026-11-29T03:11:46.519+00:00',NULL,'{"faces": {"face0001": "action-1"}, "label": null}');
INSERT INTO "actions" VALUES(6,'action-6','botan','2026-11-29T03:11:46.527+00:00',NULL,'{"faces": {"face0003": null}, "label": "fire_emblem/\u3079\u30ed\u30a2"}');
CREATE TABLE characters (
        label TEXT PRIMARY KEY, name TEXT NOT NULL, work TEXT NOT NULL,
        operator TEXT NOT NULL, at TEXT NOT NULL
    );
INSERT INTO "characters" VALUES('simpsons/burns','{"en": "Charles Montgomery Burns"}','{"en": "Springfield"}','aya','2026-11-29T03:11:46.479+00:00');
CREATE TABLE decisions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        action INTEGER NOT NULL REFERENCES actions (number),
        face TEXT NOT NULL, before TEXT, after TEXT,
        prior INTEGER REFERENCES decisions (number), stands INTEGER
    );
INSERT INTO "decisions" VALUES(1,1,'face0000',NULL,'simpsons/burns',NULL,1);
INSERT INTO "decisions" VALUES(2,1,'face0001',NULL,'simpsons/burns',NULL,2);
INSERT INTO "decisions" VALUES(3,2,'face0000','simpsons/burns','two',1,3);
INSERT INTO "decisions" VALUES(4,3,'face0002',NULL,'not_a_face',NULL,4);
INSERT INTO "decisions" VALUES(5,4,'face0000','two','simpsons/burns',3,1);
INSERT INTO "decisions" VALUES(6,5,'face0001','simpsons/burns',NULL,2,6);
INSERT INTO "decisions" VALUES(7,6,'face0003',NULL,'fire_emblem/べロア',NULL,7);
CREATE INDEX actions_by_operator ON actions (operator, number);
CREATE INDEX decisions_by_face ON decisions (face, number);
CREATE INDEX decisions_by_action ON decisions (action);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('actions',6);
INSERT INTO "sqlite_sequence" VALUES('decisions',7);
COMMIT;
PRAGMA user_version = 1;
