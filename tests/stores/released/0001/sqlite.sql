BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
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
INSERT INTO "app_variants" VALUES(1,'boolq','plain','variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1',1764000000000000007,'ada');
INSERT INTO "app_variants" VALUES(2,'boolq','wild','variant_69cf46881fcd35b34c3c9741db745686',1764000000000000009,'ada');
CREATE TABLE apps (
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	created_ns BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "apps" VALUES('boolq','it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s',1764000000000000005);
INSERT INTO "apps" VALUES('empty','',1764000000000000006);
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
INSERT INTO "label_moves" VALUES(1,'greet','production',1,1764000000000000001,'grace');
INSERT INTO "label_moves" VALUES(2,'greet','production',2,1764000000000000003,'grace');
CREATE TABLE models (
	name TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "models" VALUES('tiny','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','{"name":"tiny","sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":1099511627776,"source":"file:tiny","options":{"context":512},"created_ns":1764000000000000004}');
CREATE TABLE monitors (
	name TEXT NOT NULL, 
	app TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (name), 
	FOREIGN KEY(app) REFERENCES apps (name)
);
INSERT INTO "monitors" VALUES('watch','boolq','{"name":"watch","app":"boolq","scorer":{"kind":"exact","name":"exact","options":{"strip":true,"deep":[{"a":null},1.5,9007199254740992]}},"rate":0.25,"created_ns":1764000000000000012,"created_by":"ada"}');
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
	tab {{ x }} $1 %s 0',1764000000000000000,'ada');
INSERT INTO "prompt_versions" VALUES('greet',2,'prompt_75b4fa04aa9ab1a83da3688711cae5d1','it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s 1',1764000000000000002,'ada');
CREATE TABLE prompts (
	id TEXT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "prompts" VALUES('prompt_a258ad6475de6ca87277e1189631da85','{"blocks":[{"role":"system","template":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"},{"role":"user","template":"{{ text }}"}],"variables":{"text":{"description":"what to sort"}},"examples":[{"text":"a b"}]}');
INSERT INTO "prompts" VALUES('prompt_75b4fa04aa9ab1a83da3688711cae5d1','{"blocks":[{"role":"user","template":"again {{ text }}"}]}');
CREATE TABLE releases (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	app TEXT NOT NULL, 
	body TEXT NOT NULL, 
	FOREIGN KEY(app) REFERENCES apps (name), 
	UNIQUE (id)
);
INSERT INTO "releases" VALUES(1,'release_ad49c7162453f7ddec75e215a0447242','boolq','{"id":"release_ad49c7162453f7ddec75e215a0447242","app":"boolq","shares":[{"variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1","weight":0.3}],"created_ns":1764000000000000008,"created_by":"ada","reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}');
INSERT INTO "releases" VALUES(2,'release_14b591375b14ec1996a97de8aabb30d9','boolq','{"id":"release_14b591375b14ec1996a97de8aabb30d9","app":"boolq","shares":[{"variant_id":"variant_69cf46881fcd35b34c3c9741db745686","weight":0.3}],"created_ns":1764000000000000010,"created_by":"ada","reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}');
INSERT INTO "releases" VALUES(3,'release_3e1e3af03f8a2cfbc07602a209d144d7','boolq','{"id":"release_3e1e3af03f8a2cfbc07602a209d144d7","app":"boolq","shares":[{"variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1","weight":0.3}],"created_ns":1764000000000000011,"created_by":"grace","reason":"too wild","rolled_back_from":"release_14b591375b14ec1996a97de8aabb30d9"}');
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('label_moves',2);
INSERT INTO "sqlite_sequence" VALUES('app_variants',2);
INSERT INTO "sqlite_sequence" VALUES('releases',3);
INSERT INTO "sqlite_sequence" VALUES('datasets',2);
INSERT INTO "sqlite_sequence" VALUES('experiments',2);
COMMIT;
