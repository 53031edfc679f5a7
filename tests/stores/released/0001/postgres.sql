--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)




--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: app_variants; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.app_variants (
    seq integer NOT NULL,
    app text NOT NULL,
    name text NOT NULL,
    variant_id text NOT NULL,
    created_ns bigint NOT NULL,
    created_by text NOT NULL
);


--
-- Name: app_variants_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.app_variants_seq_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: app_variants_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.app_variants_seq_seq OWNED BY public.app_variants.seq;


--
-- Name: apps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.apps (
    name text NOT NULL,
    description text NOT NULL,
    created_ns bigint NOT NULL
);


--
-- Name: datasets; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.datasets (
    seq integer NOT NULL,
    id text NOT NULL,
    name text NOT NULL,
    body text NOT NULL
);


--
-- Name: datasets_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.datasets_seq_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: datasets_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.datasets_seq_seq OWNED BY public.datasets.seq;


--
-- Name: experiments; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.experiments (
    seq integer NOT NULL,
    id text NOT NULL,
    spec_id text NOT NULL,
    name text NOT NULL,
    app text,
    status text NOT NULL,
    created_ns bigint NOT NULL,
    body text NOT NULL
);


--
-- Name: experiments_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.experiments_seq_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: experiments_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.experiments_seq_seq OWNED BY public.experiments.seq;


--
-- Name: label_moves; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.label_moves (
    seq integer NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    version integer NOT NULL,
    moved_ns bigint NOT NULL,
    moved_by text NOT NULL
);


--
-- Name: label_moves_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.label_moves_seq_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: label_moves_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.label_moves_seq_seq OWNED BY public.label_moves.seq;


--
-- Name: models; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.models (
    name text NOT NULL,
    sha256 text NOT NULL,
    body text NOT NULL
);


--
-- Name: monitors; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.monitors (
    name text NOT NULL,
    app text NOT NULL,
    body text NOT NULL
);


--
-- Name: prompt_versions; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.prompt_versions (
    name text NOT NULL,
    version integer NOT NULL,
    prompt_id text NOT NULL,
    note text NOT NULL,
    created_ns bigint NOT NULL,
    created_by text NOT NULL
);


--
-- Name: prompts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.prompts (
    id text NOT NULL,
    body text NOT NULL
);


--
-- Name: releases; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.releases (
    seq integer NOT NULL,
    id text NOT NULL,
    app text NOT NULL,
    body text NOT NULL
);


--
-- Name: releases_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.releases_seq_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: releases_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.releases_seq_seq OWNED BY public.releases.seq;


--
-- Name: variants; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.variants (
    id text NOT NULL,
    body text NOT NULL
);


--
-- Name: app_variants seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.app_variants ALTER COLUMN seq SET DEFAULT nextval('public.app_variants_seq_seq'::regclass);


--
-- Name: datasets seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.datasets ALTER COLUMN seq SET DEFAULT nextval('public.datasets_seq_seq'::regclass);


--
-- Name: experiments seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.experiments ALTER COLUMN seq SET DEFAULT nextval('public.experiments_seq_seq'::regclass);


--
-- Name: label_moves seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.label_moves ALTER COLUMN seq SET DEFAULT nextval('public.label_moves_seq_seq'::regclass);


--
-- Name: releases seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.releases ALTER COLUMN seq SET DEFAULT nextval('public.releases_seq_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0001');


--
-- Data for Name: app_variants; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.app_variants VALUES (1, 'boolq', 'plain', 'variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1', 1764000000000000007, 'ada');
INSERT INTO public.app_variants VALUES (2, 'boolq', 'wild', 'variant_69cf46881fcd35b34c3c9741db745686', 1764000000000000009, 'ada');


--
-- Data for Name: apps; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.apps VALUES ('boolq', 'it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s', 1764000000000000005);
INSERT INTO public.apps VALUES ('empty', '', 1764000000000000006);


--
-- Data for Name: datasets; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.datasets VALUES (1, 'dataset_11111111111111111111111111111111', 'BoolQ, dev', '{"id":"dataset_11111111111111111111111111111111","name":"BoolQ, dev","size":3,"blob":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","columns":["text"]}');
INSERT INTO public.datasets VALUES (2, 'dataset_22222222222222222222222222222222', 'BoolQ, dev', '{"id":"dataset_22222222222222222222222222222222","name":"BoolQ, dev","size":3,"blob":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","columns":["text"]}');


--
-- Data for Name: experiments; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.experiments VALUES (1, 'experiment_1', 'spec_203892c6e7e4dcc65e42f15403b83a05', 'boolq', 'boolq', 'finished', 4611686018427387904, '{"id":"experiment_1","spec":{"name":"boolq","dataset_id":"dataset_11111111111111111111111111111111","variants":[{"name":"plain","variant":{"model":"local/tiny"},"label":"greet@1"}],"scorers":[{"kind":"exact","name":"exact","options":{"strip":true,"deep":[{"a":null},1.5,9007199254740992]}}],"baseline":"plain"},"runs":[{"id":"run_1","variant_name":"plain","variant_id":"variant_24cc256fda7332ff1865e2e058385658"}],"status":"finished","created_ns":4611686018427387904,"app":"boolq","environment":{"python":"3.11","note":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"},"results":{"runs":[],"wall_s":0.1}}');
INSERT INTO public.experiments VALUES (2, 'experiment_2', 'spec_203892c6e7e4dcc65e42f15403b83a05', 'boolq', NULL, 'interrupted', 5, '{"id":"experiment_2","spec":{"name":"boolq","dataset_id":"dataset_11111111111111111111111111111111","variants":[{"name":"plain","variant":{"model":"local/tiny"},"label":"greet@1"}],"scorers":[{"kind":"exact","name":"exact","options":{"strip":true,"deep":[{"a":null},1.5,9007199254740992]}}],"baseline":"plain"},"runs":[{"id":"run_1","variant_name":"plain","variant_id":"variant_24cc256fda7332ff1865e2e058385658"}],"status":"interrupted","created_ns":5,"environment":{"python":"3.11","note":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}}');


--
-- Data for Name: label_moves; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.label_moves VALUES (1, 'greet', 'production', 1, 1764000000000000001, 'grace');
INSERT INTO public.label_moves VALUES (2, 'greet', 'production', 2, 1764000000000000003, 'grace');


--
-- Data for Name: models; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.models VALUES ('tiny', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '{"name":"tiny","sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":1099511627776,"source":"file:tiny","options":{"context":512},"created_ns":1764000000000000004}');


--
-- Data for Name: monitors; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.monitors VALUES ('watch', 'boolq', '{"name":"watch","app":"boolq","scorer":{"kind":"exact","name":"exact","options":{"strip":true,"deep":[{"a":null},1.5,9007199254740992]}},"rate":0.25,"created_ns":1764000000000000012,"created_by":"ada"}');


--
-- Data for Name: prompt_versions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.prompt_versions VALUES ('greet', 1, 'prompt_a258ad6475de6ca87277e1189631da85', 'it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s 0', 1764000000000000000, 'ada');
INSERT INTO public.prompt_versions VALUES ('greet', 2, 'prompt_75b4fa04aa9ab1a83da3688711cae5d1', 'it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s 1', 1764000000000000002, 'ada');


--
-- Data for Name: prompts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.prompts VALUES ('prompt_a258ad6475de6ca87277e1189631da85', '{"blocks":[{"role":"system","template":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"},{"role":"user","template":"{{ text }}"}],"variables":{"text":{"description":"what to sort"}},"examples":[{"text":"a b"}]}');
INSERT INTO public.prompts VALUES ('prompt_75b4fa04aa9ab1a83da3688711cae5d1', '{"blocks":[{"role":"user","template":"again {{ text }}"}]}');


--
-- Data for Name: releases; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.releases VALUES (1, 'release_f155a26c2630a67850d70f6b094d3b1a', 'boolq', '{"id":"release_f155a26c2630a67850d70f6b094d3b1a","app":"boolq","shares":[{"variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1","weight":0.3}],"created_ns":1764000000000000008,"created_by":"ada","reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}');
INSERT INTO public.releases VALUES (2, 'release_ecff346f6c725b5adc8b6d39f15ac634', 'boolq', '{"id":"release_ecff346f6c725b5adc8b6d39f15ac634","app":"boolq","shares":[{"variant_id":"variant_69cf46881fcd35b34c3c9741db745686","weight":0.3}],"created_ns":1764000000000000010,"created_by":"ada","reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}');
INSERT INTO public.releases VALUES (3, 'release_3febe5dd909196d714dd2cc09f10a59f', 'boolq', '{"id":"release_3febe5dd909196d714dd2cc09f10a59f","app":"boolq","shares":[{"variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1","weight":0.3}],"created_ns":1764000000000000011,"created_by":"grace","reason":"too wild","rolled_back_from":"release_ecff346f6c725b5adc8b6d39f15ac634"}');


--
-- Data for Name: variants; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.variants VALUES ('variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1', '{"model":"up/small","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","params":{"temperature":0.0,"stop":["\n"]}}');
INSERT INTO public.variants VALUES ('variant_69cf46881fcd35b34c3c9741db745686', '{"model":"up/small","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","params":{"temperature":1.5,"stop":["\n"]}}');
INSERT INTO public.variants VALUES ('variant_24cc256fda7332ff1865e2e058385658', '{"model":"local/tiny"}');


--
-- Name: app_variants_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.app_variants_seq_seq', 2, true);


--
-- Name: datasets_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.datasets_seq_seq', 2, true);


--
-- Name: experiments_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.experiments_seq_seq', 2, true);


--
-- Name: label_moves_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.label_moves_seq_seq', 2, true);


--
-- Name: releases_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.releases_seq_seq', 3, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: app_variants app_variants_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.app_variants
    ADD CONSTRAINT app_variants_pkey PRIMARY KEY (seq);


--
-- Name: apps apps_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_pkey PRIMARY KEY (name);


--
-- Name: datasets datasets_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.datasets
    ADD CONSTRAINT datasets_pkey PRIMARY KEY (seq);


--
-- Name: experiments experiments_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.experiments
    ADD CONSTRAINT experiments_id_key UNIQUE (id);


--
-- Name: experiments experiments_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.experiments
    ADD CONSTRAINT experiments_pkey PRIMARY KEY (seq);


--
-- Name: label_moves label_moves_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.label_moves
    ADD CONSTRAINT label_moves_pkey PRIMARY KEY (seq);


--
-- Name: models models_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (name);


--
-- Name: monitors monitors_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.monitors
    ADD CONSTRAINT monitors_pkey PRIMARY KEY (name);


--
-- Name: datasets one_data_set_per_name; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.datasets
    ADD CONSTRAINT one_data_set_per_name UNIQUE (id, name);


--
-- Name: prompt_versions one_version_per_content; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompt_versions
    ADD CONSTRAINT one_version_per_content UNIQUE (name, prompt_id);


--
-- Name: prompt_versions prompt_versions_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompt_versions
    ADD CONSTRAINT prompt_versions_pkey PRIMARY KEY (name, version);


--
-- Name: prompts prompts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompts
    ADD CONSTRAINT prompts_pkey PRIMARY KEY (id);


--
-- Name: releases releases_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_id_key UNIQUE (id);


--
-- Name: releases releases_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_pkey PRIMARY KEY (seq);


--
-- Name: variants variants_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.variants
    ADD CONSTRAINT variants_pkey PRIMARY KEY (id);


--
-- Name: app_variants_by_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX app_variants_by_name ON public.app_variants USING btree (app, name);


--
-- Name: datasets_by_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX datasets_by_name ON public.datasets USING btree (name);


--
-- Name: experiments_by_spec; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX experiments_by_spec ON public.experiments USING btree (spec_id);


--
-- Name: experiments_by_time; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX experiments_by_time ON public.experiments USING btree (created_ns);


--
-- Name: label_moves_by_name; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX label_moves_by_name ON public.label_moves USING btree (name, label);


--
-- Name: models_by_weights; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX models_by_weights ON public.models USING btree (sha256);


--
-- Name: monitors_by_app; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX monitors_by_app ON public.monitors USING btree (app);


--
-- Name: prompt_versions_by_prompt; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX prompt_versions_by_prompt ON public.prompt_versions USING btree (prompt_id);


--
-- Name: releases_by_app; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX releases_by_app ON public.releases USING btree (app);


--
-- Name: app_variants app_variants_app_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.app_variants
    ADD CONSTRAINT app_variants_app_fkey FOREIGN KEY (app) REFERENCES public.apps(name);


--
-- Name: app_variants app_variants_variant_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.app_variants
    ADD CONSTRAINT app_variants_variant_id_fkey FOREIGN KEY (variant_id) REFERENCES public.variants(id);


--
-- Name: label_moves label_moves_name_version_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.label_moves
    ADD CONSTRAINT label_moves_name_version_fkey FOREIGN KEY (name, version) REFERENCES public.prompt_versions(name, version);


--
-- Name: monitors monitors_app_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.monitors
    ADD CONSTRAINT monitors_app_fkey FOREIGN KEY (app) REFERENCES public.apps(name);


--
-- Name: prompt_versions prompt_versions_prompt_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.prompt_versions
    ADD CONSTRAINT prompt_versions_prompt_id_fkey FOREIGN KEY (prompt_id) REFERENCES public.prompts(id);


--
-- Name: releases releases_app_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_app_fkey FOREIGN KEY (app) REFERENCES public.apps(name);


--
-- PostgreSQL database dump complete
--


