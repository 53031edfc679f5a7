BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE app_variants (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	app TEXT NOT NULL, 
	name TEXT NOT NULL, 
	variant_id TEXT NOT NULL, 
	created_ns BIGINT NOT NULL, 
	created_by TEXT NOT NULL, 
	FOREIGN KEY(app) REFERENCES apps (name), 
	FOREIGN KEY(variant_id) REFERENCES variants (id)
);
INSERT INTO "app_variants" VALUES(1,'boolq','plain','variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1',1764000000000000015,'ada');
INSERT INTO "app_variants" VALUES(2,'boolq','wild','variant_69cf46881fcd35b34c3c9741db745686',1764000000000000019,'ada');
CREATE TABLE apps (
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	created_ns BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "apps" VALUES('boolq','it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s',1764000000000000011);
INSERT INTO "apps" VALUES('empty','',1764000000000000013);
CREATE TABLE audit_log (
	seq INTEGER NOT NULL, 
	action TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	body TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "audit_log" VALUES(1,'catalogue.made','catalogue','{"action":"catalogue.made","actor":"noria","details":{"revision":"0002"},"seq":1,"subject":"catalogue","time_ns":1764000000000000000}','6a5456b841c5717cd0c0e171f8a089d899f8dbe174be0c535d3c662e96132d62');
INSERT INTO "audit_log" VALUES(2,'prompt.pushed','greet','{"action":"prompt.pushed","actor":"ada","details":{"note":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s 0","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","version":1},"previous":"6a5456b841c5717cd0c0e171f8a089d899f8dbe174be0c535d3c662e96132d62","seq":2,"subject":"greet","time_ns":1764000000000000002}','895f6a69ac59df7f317f30931f89734069ba757834c88f2467e2dbd472f86e15');
INSERT INTO "audit_log" VALUES(3,'prompt.labelled','greet','{"action":"prompt.labelled","actor":"grace","details":{"label":"production","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","version":1},"previous":"895f6a69ac59df7f317f30931f89734069ba757834c88f2467e2dbd472f86e15","seq":3,"subject":"greet","time_ns":1764000000000000004}','0f9aa5457a9003c090671d1723a87193be814ba1d34be66e7ec9dd64b464809f');
INSERT INTO "audit_log" VALUES(4,'prompt.pushed','greet','{"action":"prompt.pushed","actor":"ada","details":{"note":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s 1","prompt_id":"prompt_75b4fa04aa9ab1a83da3688711cae5d1","version":2},"previous":"0f9aa5457a9003c090671d1723a87193be814ba1d34be66e7ec9dd64b464809f","seq":4,"subject":"greet","time_ns":1764000000000000006}','2b4aba12b8dac60b0d4ed0508c1367dde15808a4b89e21af4fad44e6e12a592a');
INSERT INTO "audit_log" VALUES(5,'prompt.labelled','greet','{"action":"prompt.labelled","actor":"grace","details":{"label":"production","prompt_id":"prompt_75b4fa04aa9ab1a83da3688711cae5d1","version":2},"previous":"2b4aba12b8dac60b0d4ed0508c1367dde15808a4b89e21af4fad44e6e12a592a","seq":5,"subject":"greet","time_ns":1764000000000000008}','477a37dc89802f8649356183f77bd6cb947b0511c96aec687cef1553fdec1913');
INSERT INTO "audit_log" VALUES(6,'model.stored','tiny','{"action":"model.stored","actor":"noria","details":{"model_id":"model_622de597585f7389c434a2563ff98dd9","sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","source":"file:tiny"},"previous":"477a37dc89802f8649356183f77bd6cb947b0511c96aec687cef1553fdec1913","seq":6,"subject":"tiny","time_ns":1764000000000000010}','a10e7e19165f23b345ea86b76c9df90060530be2f9d6ae35fe3be72aafee0ab9');
INSERT INTO "audit_log" VALUES(7,'app.made','boolq','{"action":"app.made","actor":"noria","previous":"a10e7e19165f23b345ea86b76c9df90060530be2f9d6ae35fe3be72aafee0ab9","seq":7,"subject":"boolq","time_ns":1764000000000000012}','f247f2e4291f49fa22bc4693615f67afb59ba52262a77bf38cece845125c41e5');
INSERT INTO "audit_log" VALUES(8,'app.made','empty','{"action":"app.made","actor":"noria","previous":"f247f2e4291f49fa22bc4693615f67afb59ba52262a77bf38cece845125c41e5","seq":8,"subject":"empty","time_ns":1764000000000000014}','255beadb5a17a05d09a9e9fb61acf2e149dd39b36c163935cc874e9e0b5f2420');
INSERT INTO "audit_log" VALUES(9,'variant.added','boolq','{"action":"variant.added","actor":"ada","details":{"model":"up/small","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","variant":"plain","variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1"},"previous":"255beadb5a17a05d09a9e9fb61acf2e149dd39b36c163935cc874e9e0b5f2420","seq":9,"subject":"boolq","time_ns":1764000000000000016}','e8eb99d0de293d421f55a20a01349174dd31b6ebc1e9934e1cd4ad36abca4f33');
INSERT INTO "audit_log" VALUES(10,'release.promoted','boolq','{"action":"release.promoted","actor":"ada","details":{"reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s","release_id":"release_75f0b52dfe326656e5747799ce9ba31c","shares":{"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1":0.3}},"previous":"e8eb99d0de293d421f55a20a01349174dd31b6ebc1e9934e1cd4ad36abca4f33","seq":10,"subject":"boolq","time_ns":1764000000000000018}','7e1fc65c203e44fb0f8eb27814aa10f5142f742df6f974da0e286c3a5b8475ac');
INSERT INTO "audit_log" VALUES(11,'variant.added','boolq','{"action":"variant.added","actor":"ada","details":{"model":"up/small","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","variant":"wild","variant_id":"variant_69cf46881fcd35b34c3c9741db745686"},"previous":"7e1fc65c203e44fb0f8eb27814aa10f5142f742df6f974da0e286c3a5b8475ac","seq":11,"subject":"boolq","time_ns":1764000000000000020}','e4ce3fff4efb774d3ad4ac6e9e359808309e9c455e973548cfa158f4938a7ba3');
INSERT INTO "audit_log" VALUES(12,'release.promoted','boolq','{"action":"release.promoted","actor":"ada","details":{"reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s","release_id":"release_2a20a13266cf7f45b7161a4e89e8db1a","shares":{"variant_69cf46881fcd35b34c3c9741db745686":0.3}},"previous":"e4ce3fff4efb774d3ad4ac6e9e359808309e9c455e973548cfa158f4938a7ba3","seq":12,"subject":"boolq","time_ns":1764000000000000022}','f21c71ad9b2e5149b5580d540ab7e9f3344d1c1d42d0bf065032d9b55aad5453');
INSERT INTO "audit_log" VALUES(13,'release.rolled_back','boolq','{"action":"release.rolled_back","actor":"grace","details":{"reason":"too wild","release_id":"release_f7e8c11518c12b95897c59c510f4aace","rolled_back_from":"release_2a20a13266cf7f45b7161a4e89e8db1a","shares":{"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1":0.3}},"previous":"f21c71ad9b2e5149b5580d540ab7e9f3344d1c1d42d0bf065032d9b55aad5453","seq":13,"subject":"boolq","time_ns":1764000000000000024}','64833bc2435e652918486d6ba1ae365cfadbe4682a78fe32b6d1aa85a1059011');
INSERT INTO "audit_log" VALUES(14,'monitor.attached','watch','{"action":"monitor.attached","actor":"ada","details":{"app":"boolq","kind":"exact","rate":0.25},"previous":"64833bc2435e652918486d6ba1ae365cfadbe4682a78fe32b6d1aa85a1059011","seq":14,"subject":"watch","time_ns":1764000000000000026}','59d49faaa74c8b3a2e4f03239b96c8a482d4f4e7f01287e0b6e18bf82c931407');
INSERT INTO "audit_log" VALUES(15,'dataset.stored','BoolQ, dev','{"action":"dataset.stored","actor":"noria","details":{"blob":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","dataset_id":"dataset_11111111111111111111111111111111","size":3},"previous":"59d49faaa74c8b3a2e4f03239b96c8a482d4f4e7f01287e0b6e18bf82c931407","seq":15,"subject":"BoolQ, dev","time_ns":1764000000000000027}','028e2aaefe0924e92ad8b26f8b389b5265a864890ce68e271c0578709535d4d5');
INSERT INTO "audit_log" VALUES(16,'dataset.stored','BoolQ, dev','{"action":"dataset.stored","actor":"noria","details":{"blob":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","dataset_id":"dataset_22222222222222222222222222222222","size":3},"previous":"028e2aaefe0924e92ad8b26f8b389b5265a864890ce68e271c0578709535d4d5","seq":16,"subject":"BoolQ, dev","time_ns":1764000000000000028}','fb26c5345904af5d82131ebb727a394d9568011c34ffec4e760d6922ef296250');
INSERT INTO "audit_log" VALUES(17,'experiment.finished','experiment_1','{"action":"experiment.finished","actor":"noria","details":{"app":"boolq","name":"boolq","spec_id":"spec_203892c6e7e4dcc65e42f15403b83a05"},"previous":"fb26c5345904af5d82131ebb727a394d9568011c34ffec4e760d6922ef296250","seq":17,"subject":"experiment_1","time_ns":1764000000000000029}','cf437867a70b121e374fb501a232034e1f3ae9e0ab29d0aa2b3aa989e869b869');
INSERT INTO "audit_log" VALUES(18,'experiment.interrupted','experiment_2','{"action":"experiment.interrupted","actor":"noria","details":{"name":"boolq","spec_id":"spec_203892c6e7e4dcc65e42f15403b83a05"},"previous":"cf437867a70b121e374fb501a232034e1f3ae9e0ab29d0aa2b3aa989e869b869","seq":18,"subject":"experiment_2","time_ns":1764000000000000030}','85bb1133ff875b9bbd8e8bcfb99e48521e03030b55c0e88f3e48c7f3713c9418');
CREATE TABLE datasets (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT one_data_set_per_name UNIQUE (id, name)
);
INSERT INTO "datasets" VALUES(1,'dataset_11111111111111111111111111111111','BoolQ, dev','{"id":"dataset_11111111111111111111111111111111","name":"BoolQ, dev","size":3,"blob":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","columns":["text"]}');
INSERT INTO "datasets" VALUES(2,'dataset_22222222222222222222222222222222','BoolQ, dev','{"id":"dataset_22222222222222222222222222222222","name":"BoolQ, dev","size":3,"blob":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","columns":["text"]}');
CREATE TABLE experiments (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	spec_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	app TEXT, 
	status TEXT NOT NULL, 
	created_ns BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "experiments" VALUES(1,'experiment_1','spec_203892c6e7e4dcc65e42f15403b83a05','boolq','boolq','finished',4611686018427387904,'{"id":"experiment_1","spec":{"name":"boolq","dataset_id":"dataset_11111111111111111111111111111111","variants":[{"name":"plain","variant":{"model":"local/tiny"},"label":"greet@1"}],"scorers":[{"kind":"exact","name":"exact","options":{"strip":true,"deep":[{"a":null},1.5,9007199254740992]}}],"baseline":"plain"},"runs":[{"id":"run_1","variant_name":"plain","variant_id":"variant_24cc256fda7332ff1865e2e058385658"}],"status":"finished","created_ns":4611686018427387904,"app":"boolq","environment":{"python":"3.11","note":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"},"results":{"runs":[],"wall_s":0.1}}');
INSERT INTO "experiments" VALUES(2,'experiment_2','spec_203892c6e7e4dcc65e42f15403b83a05','boolq',NULL,'interrupted',5,'{"id":"experiment_2","spec":{"name":"boolq","dataset_id":"dataset_11111111111111111111111111111111","variants":[{"name":"plain","variant":{"model":"local/tiny"},"label":"greet@1"}],"scorers":[{"kind":"exact","name":"exact","options":{"strip":true,"deep":[{"a":null},1.5,9007199254740992]}}],"baseline":"plain"},"runs":[{"id":"run_1","variant_name":"plain","variant_id":"variant_24cc256fda7332ff1865e2e058385658"}],"status":"interrupted","created_ns":5,"environment":{"python":"3.11","note":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}}');
CREATE TABLE label_moves (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	label TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	moved_ns BIGINT NOT NULL, 
	moved_by TEXT NOT NULL, 
	FOREIGN KEY(name, version) REFERENCES prompt_versions (name, version)
);
INSERT INTO "label_moves" VALUES(1,'greet','production',1,1764000000000000003,'grace');
INSERT INTO "label_moves" VALUES(2,'greet','production',2,1764000000000000007,'grace');
CREATE TABLE models (
	name TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "models" VALUES('tiny','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"name":"tiny","sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":1099511627776,"source":"file:tiny","options":{"context":512},"created_ns":1764000000000000009}');
CREATE TABLE monitors (
	name TEXT NOT NULL, 
	app TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (name), 
	FOREIGN KEY(app) REFERENCES apps (name)
);
INSERT INTO "monitors" VALUES('watch','boolq','{"name":"watch","app":"boolq","scorer":{"kind":"exact","name":"exact","options":{"strip":true,"deep":[{"a":null},1.5,9007199254740992]}},"rate":0.25,"created_ns":1764000000000000025,"created_by":"ada"}');
CREATE TABLE prompt_versions (
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	prompt_id TEXT NOT NULL, 
	note TEXT NOT NULL, 
	created_ns BIGINT NOT NULL, 
	created_by TEXT NOT NULL, 
	PRIMARY KEY (name, version), 
	FOREIGN KEY(prompt_id) REFERENCES prompts (id), 
	CONSTRAINT one_version_per_content UNIQUE (name, prompt_id)
);
INSERT INTO "prompt_versions" VALUES('greet',1,'prompt_a258ad6475de6ca87277e1189631da85','it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s 0',1764000000000000001,'ada');
INSERT INTO "prompt_versions" VALUES('greet',2,'prompt_75b4fa04aa9ab1a83da3688711cae5d1','it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s 1',1764000000000000005,'ada');
CREATE TABLE prompts (
	id TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "prompts" VALUES('prompt_a258ad6475de6ca87277e1189631da85','{"blocks":[{"role":"system","template":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"},{"role":"user","template":"{{ text }}"}],"variables":{"text":{"description":"what to sort"}},"examples":[{"text":"a b"}]}');
INSERT INTO "prompts" VALUES('prompt_75b4fa04aa9ab1a83da3688711cae5d1','{"blocks":[{"role":"user","template":"again {{ text }}"}]}');
CREATE TABLE receipts (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	body TEXT NOT NULL, 
	UNIQUE (id)
);
CREATE TABLE releases (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	app TEXT NOT NULL, 
	body TEXT NOT NULL, 
	FOREIGN KEY(app) REFERENCES apps (name), 
	UNIQUE (id)
);
INSERT INTO "releases" VALUES(1,'release_75f0b52dfe326656e5747799ce9ba31c','boolq','{"id":"release_75f0b52dfe326656e5747799ce9ba31c","app":"boolq","shares":[{"variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1","weight":0.3}],"created_ns":1764000000000000017,"created_by":"ada","reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}');
INSERT INTO "releases" VALUES(2,'release_2a20a13266cf7f45b7161a4e89e8db1a','boolq','{"id":"release_2a20a13266cf7f45b7161a4e89e8db1a","app":"boolq","shares":[{"variant_id":"variant_69cf46881fcd35b34c3c9741db745686","weight":0.3}],"created_ns":1764000000000000021,"created_by":"ada","reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}');
INSERT INTO "releases" VALUES(3,'release_f7e8c11518c12b95897c59c510f4aace','boolq','{"id":"release_f7e8c11518c12b95897c59c510f4aace","app":"boolq","shares":[{"variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1","weight":0.3}],"created_ns":1764000000000000023,"created_by":"grace","reason":"too wild","rolled_back_from":"release_2a20a13266cf7f45b7161a4e89e8db1a"}');
CREATE TABLE retention (
	app TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (app)
);
CREATE TABLE variants (
	id TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "variants" VALUES('variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1','{"model":"up/small","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","params":{"temperature":0.0,"stop":["\n"]}}');
INSERT INTO "variants" VALUES('variant_69cf46881fcd35b34c3c9741db745686','{"model":"up/small","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","params":{"temperature":1.5,"stop":["\n"]}}');
INSERT INTO "variants" VALUES('variant_24cc256fda7332ff1865e2e058385658','{"model":"local/tiny"}');
CREATE INDEX datasets_by_name ON datasets (name);
CREATE INDEX experiments_by_spec ON experiments (spec_id);
CREATE INDEX experiments_by_time ON experiments (created_ns);
CREATE INDEX models_by_weights ON models (sha256);
CREATE INDEX app_variants_by_name ON app_variants (app, name);
CREATE INDEX monitors_by_app ON monitors (app);
CREATE INDEX prompt_versions_by_prompt ON prompt_versions (prompt_id);
CREATE INDEX releases_by_app ON releases (app);
CREATE INDEX label_moves_by_name ON label_moves (name, label);
CREATE INDEX audit_log_by_subject ON audit_log (subject);
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_log_in_order BEFORE INSERT ON audit_log
    WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM audit_log), 0)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('label_moves',2);
INSERT INTO "sqlite_sequence" VALUES('app_variants',2);
INSERT INTO "sqlite_sequence" VALUES('releases',3);
INSERT INTO "sqlite_sequence" VALUES('datasets',2);
INSERT INTO "sqlite_sequence" VALUES('experiments',2);
COMMIT;
