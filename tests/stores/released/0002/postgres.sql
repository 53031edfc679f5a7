--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)


--
-- Name: audit_log_follow(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.audit_log_follow() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
    BEGIN
        IF NEW.seq <> 1 + coalesce((SELECT max(seq) FROM audit_log), 0) THEN
            RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$;


--
-- Name: audit_log_refuse(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.audit_log_refuse() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
    BEGIN RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$;




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
-- Name: audit_log; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit_log (
    seq integer NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    hash text NOT NULL
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
-- Name: receipts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.receipts (
    seq integer NOT NULL,
    id text NOT NULL,
    body text NOT NULL
);


--
-- Name: receipts_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.receipts_seq_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: receipts_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.receipts_seq_seq OWNED BY public.receipts.seq;


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
-- Name: retention; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.retention (
    app text NOT NULL,
    body text NOT NULL
);


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
-- Name: receipts seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.receipts ALTER COLUMN seq SET DEFAULT nextval('public.receipts_seq_seq'::regclass);


--
-- Name: releases seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.releases ALTER COLUMN seq SET DEFAULT nextval('public.releases_seq_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0002');


--
-- Data for Name: app_variants; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.app_variants VALUES (1, 'boolq', 'plain', 'variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1', 1764000000000000015, 'ada');
INSERT INTO public.app_variants VALUES (2, 'boolq', 'wild', 'variant_69cf46881fcd35b34c3c9741db745686', 1764000000000000019, 'ada');


--
-- Data for Name: apps; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.apps VALUES ('boolq', 'it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s', 1764000000000000011);
INSERT INTO public.apps VALUES ('empty', '', 1764000000000000013);


--
-- Data for Name: audit_log; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit_log VALUES (1, 'catalogue.made', 'catalogue', '{"action":"catalogue.made","actor":"noria","details":{"revision":"0002"},"seq":1,"subject":"catalogue","time_ns":1764000000000000000}', '6a5456b841c5717cd0c0e171f8a089d899f8dbe174be0c535d3c662e96132d62');
INSERT INTO public.audit_log VALUES (2, 'prompt.pushed', 'greet', '{"action":"prompt.pushed","actor":"ada","details":{"note":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s 0","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","version":1},"previous":"6a5456b841c5717cd0c0e171f8a089d899f8dbe174be0c535d3c662e96132d62","seq":2,"subject":"greet","time_ns":1764000000000000002}', '895f6a69ac59df7f317f30931f89734069ba757834c88f2467e2dbd472f86e15');
INSERT INTO public.audit_log VALUES (3, 'prompt.labelled', 'greet', '{"action":"prompt.labelled","actor":"grace","details":{"label":"production","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","version":1},"previous":"895f6a69ac59df7f317f30931f89734069ba757834c88f2467e2dbd472f86e15","seq":3,"subject":"greet","time_ns":1764000000000000004}', '0f9aa5457a9003c090671d1723a87193be814ba1d34be66e7ec9dd64b464809f');
INSERT INTO public.audit_log VALUES (4, 'prompt.pushed', 'greet', '{"action":"prompt.pushed","actor":"ada","details":{"note":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s 1","prompt_id":"prompt_75b4fa04aa9ab1a83da3688711cae5d1","version":2},"previous":"0f9aa5457a9003c090671d1723a87193be814ba1d34be66e7ec9dd64b464809f","seq":4,"subject":"greet","time_ns":1764000000000000006}', '2b4aba12b8dac60b0d4ed0508c1367dde15808a4b89e21af4fad44e6e12a592a');
INSERT INTO public.audit_log VALUES (5, 'prompt.labelled', 'greet', '{"action":"prompt.labelled","actor":"grace","details":{"label":"production","prompt_id":"prompt_75b4fa04aa9ab1a83da3688711cae5d1","version":2},"previous":"2b4aba12b8dac60b0d4ed0508c1367dde15808a4b89e21af4fad44e6e12a592a","seq":5,"subject":"greet","time_ns":1764000000000000008}', '477a37dc89802f8649356183f77bd6cb947b0511c96aec687cef1553fdec1913');
INSERT INTO public.audit_log VALUES (6, 'model.stored', 'tiny', '{"action":"model.stored","actor":"noria","details":{"model_id":"model_622de597585f7389c434a2563ff98dd9","sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","source":"file:tiny"},"previous":"477a37dc89802f8649356183f77bd6cb947b0511c96aec687cef1553fdec1913","seq":6,"subject":"tiny","time_ns":1764000000000000010}', 'a10e7e19165f23b345ea86b76c9df90060530be2f9d6ae35fe3be72aafee0ab9');
INSERT INTO public.audit_log VALUES (7, 'app.made', 'boolq', '{"action":"app.made","actor":"noria","previous":"a10e7e19165f23b345ea86b76c9df90060530be2f9d6ae35fe3be72aafee0ab9","seq":7,"subject":"boolq","time_ns":1764000000000000012}', 'f247f2e4291f49fa22bc4693615f67afb59ba52262a77bf38cece845125c41e5');
INSERT INTO public.audit_log VALUES (8, 'app.made', 'empty', '{"action":"app.made","actor":"noria","previous":"f247f2e4291f49fa22bc4693615f67afb59ba52262a77bf38cece845125c41e5","seq":8,"subject":"empty","time_ns":1764000000000000014}', '255beadb5a17a05d09a9e9fb61acf2e149dd39b36c163935cc874e9e0b5f2420');
INSERT INTO public.audit_log VALUES (9, 'variant.added', 'boolq', '{"action":"variant.added","actor":"ada","details":{"model":"up/small","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","variant":"plain","variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1"},"previous":"255beadb5a17a05d09a9e9fb61acf2e149dd39b36c163935cc874e9e0b5f2420","seq":9,"subject":"boolq","time_ns":1764000000000000016}', 'e8eb99d0de293d421f55a20a01349174dd31b6ebc1e9934e1cd4ad36abca4f33');
INSERT INTO public.audit_log VALUES (10, 'release.promoted', 'boolq', '{"action":"release.promoted","actor":"ada","details":{"reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s","release_id":"release_29629a4c04e6b26b9e57e499bf67d093","shares":{"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1":0.3}},"previous":"e8eb99d0de293d421f55a20a01349174dd31b6ebc1e9934e1cd4ad36abca4f33","seq":10,"subject":"boolq","time_ns":1764000000000000018}', 'e49d8dd8769fa1a0e4cf42e18b65e92df1c3a12ea90ae33e525b72e5ed9da0d3');
INSERT INTO public.audit_log VALUES (11, 'variant.added', 'boolq', '{"action":"variant.added","actor":"ada","details":{"model":"up/small","prompt_id":"prompt_a258ad6475de6ca87277e1189631da85","variant":"wild","variant_id":"variant_69cf46881fcd35b34c3c9741db745686"},"previous":"e49d8dd8769fa1a0e4cf42e18b65e92df1c3a12ea90ae33e525b72e5ed9da0d3","seq":11,"subject":"boolq","time_ns":1764000000000000020}', '18d3e4fa87b44fd385f0b5e4628d85c4d51a4bfdc810f30dec576695896f1f39');
INSERT INTO public.audit_log VALUES (12, 'release.promoted', 'boolq', '{"action":"release.promoted","actor":"ada","details":{"reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s","release_id":"release_55ff8e35aab57a577e92cb94225de0d6","shares":{"variant_69cf46881fcd35b34c3c9741db745686":0.3}},"previous":"18d3e4fa87b44fd385f0b5e4628d85c4d51a4bfdc810f30dec576695896f1f39","seq":12,"subject":"boolq","time_ns":1764000000000000022}', '3df7ce43ef31b73011b2b1d39296c4f8950b09a1f3e162d23e176bcb8b677c1a');
INSERT INTO public.audit_log VALUES (13, 'release.rolled_back', 'boolq', '{"action":"release.rolled_back","actor":"grace","details":{"reason":"too wild","release_id":"release_d49a440ca410ac8b3872724ff77a6868","rolled_back_from":"release_55ff8e35aab57a577e92cb94225de0d6","shares":{"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1":0.3}},"previous":"3df7ce43ef31b73011b2b1d39296c4f8950b09a1f3e162d23e176bcb8b677c1a","seq":13,"subject":"boolq","time_ns":1764000000000000024}', '001f99c2b471b4fec57b62971a40539e704620d9b6385389676ccdbda05ca91b');
INSERT INTO public.audit_log VALUES (14, 'monitor.attached', 'watch', '{"action":"monitor.attached","actor":"ada","details":{"app":"boolq","kind":"exact","rate":0.25},"previous":"001f99c2b471b4fec57b62971a40539e704620d9b6385389676ccdbda05ca91b","seq":14,"subject":"watch","time_ns":1764000000000000026}', '1c7056e32c146c6b29fc705ba697ffbe0c0cd63b55989f1e1c369c954c67b14a');
INSERT INTO public.audit_log VALUES (15, 'dataset.stored', 'BoolQ, dev', '{"action":"dataset.stored","actor":"noria","details":{"blob":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","dataset_id":"dataset_11111111111111111111111111111111","size":3},"previous":"1c7056e32c146c6b29fc705ba697ffbe0c0cd63b55989f1e1c369c954c67b14a","seq":15,"subject":"BoolQ, dev","time_ns":1764000000000000027}', 'bb1ec4705e3cd602b281eee29c2a6995a6f8f4082e3abc443d5e499d440fd997');
INSERT INTO public.audit_log VALUES (16, 'dataset.stored', 'BoolQ, dev', '{"action":"dataset.stored","actor":"noria","details":{"blob":"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff","dataset_id":"dataset_22222222222222222222222222222222","size":3},"previous":"bb1ec4705e3cd602b281eee29c2a6995a6f8f4082e3abc443d5e499d440fd997","seq":16,"subject":"BoolQ, dev","time_ns":1764000000000000028}', '69b4de1bd8da761d4aa06ec7b55eb50fe1bb4cb3f8e55f89a94dd5b048b161da');
INSERT INTO public.audit_log VALUES (17, 'experiment.finished', 'experiment_1', '{"action":"experiment.finished","actor":"noria","details":{"app":"boolq","name":"boolq","spec_id":"spec_203892c6e7e4dcc65e42f15403b83a05"},"previous":"69b4de1bd8da761d4aa06ec7b55eb50fe1bb4cb3f8e55f89a94dd5b048b161da","seq":17,"subject":"experiment_1","time_ns":1764000000000000029}', '7c1bf000b75abc14fb1aa4f91a53673d6f558eb833d13e7e68f9e97b2efbe910');
INSERT INTO public.audit_log VALUES (18, 'experiment.interrupted', 'experiment_2', '{"action":"experiment.interrupted","actor":"noria","details":{"name":"boolq","spec_id":"spec_203892c6e7e4dcc65e42f15403b83a05"},"previous":"7c1bf000b75abc14fb1aa4f91a53673d6f558eb833d13e7e68f9e97b2efbe910","seq":18,"subject":"experiment_2","time_ns":1764000000000000030}', '9cf8a4875e3a356182f2f7e51d36d5696777b6e3b6fa34e17b1215ad822e5c30');


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

INSERT INTO public.label_moves VALUES (1, 'greet', 'production', 1, 1764000000000000003, 'grace');
INSERT INTO public.label_moves VALUES (2, 'greet', 'production', 2, 1764000000000000007, 'grace');


--
-- Data for Name: models; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.models VALUES ('tiny', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '{"name":"tiny","sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":1099511627776,"source":"file:tiny","options":{"context":512},"created_ns":1764000000000000009}');


--
-- Data for Name: monitors; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.monitors VALUES ('watch', 'boolq', '{"name":"watch","app":"boolq","scorer":{"kind":"exact","name":"exact","options":{"strip":true,"deep":[{"a":null},1.5,9007199254740992]}},"rate":0.25,"created_ns":1764000000000000025,"created_by":"ada"}');


--
-- Data for Name: prompt_versions; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.prompt_versions VALUES ('greet', 1, 'prompt_a258ad6475de6ca87277e1189631da85', 'it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s 0', 1764000000000000001, 'ada');
INSERT INTO public.prompt_versions VALUES ('greet', 2, 'prompt_75b4fa04aa9ab1a83da3688711cae5d1', 'it''s "quoted"; -- über 漢字 \n
	tab {{ x }} $1 %s 1', 1764000000000000005, 'ada');


--
-- Data for Name: prompts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.prompts VALUES ('prompt_a258ad6475de6ca87277e1189631da85', '{"blocks":[{"role":"system","template":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"},{"role":"user","template":"{{ text }}"}],"variables":{"text":{"description":"what to sort"}},"examples":[{"text":"a b"}]}');
INSERT INTO public.prompts VALUES ('prompt_75b4fa04aa9ab1a83da3688711cae5d1', '{"blocks":[{"role":"user","template":"again {{ text }}"}]}');


--
-- Data for Name: receipts; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: releases; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.releases VALUES (1, 'release_29629a4c04e6b26b9e57e499bf67d093', 'boolq', '{"id":"release_29629a4c04e6b26b9e57e499bf67d093","app":"boolq","shares":[{"variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1","weight":0.3}],"created_ns":1764000000000000017,"created_by":"ada","reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}');
INSERT INTO public.releases VALUES (2, 'release_55ff8e35aab57a577e92cb94225de0d6', 'boolq', '{"id":"release_55ff8e35aab57a577e92cb94225de0d6","app":"boolq","shares":[{"variant_id":"variant_69cf46881fcd35b34c3c9741db745686","weight":0.3}],"created_ns":1764000000000000021,"created_by":"ada","reason":"it''s \"quoted\"; -- über 漢字 \\n\n\ttab {{ x }} $1 %s"}');
INSERT INTO public.releases VALUES (3, 'release_d49a440ca410ac8b3872724ff77a6868', 'boolq', '{"id":"release_d49a440ca410ac8b3872724ff77a6868","app":"boolq","shares":[{"variant_id":"variant_cfc39f7bea7289bd9ffb69b2dfb6ecd1","weight":0.3}],"created_ns":1764000000000000023,"created_by":"grace","reason":"too wild","rolled_back_from":"release_55ff8e35aab57a577e92cb94225de0d6"}');


--
-- Data for Name: retention; Type: TABLE DATA; Schema: public; Owner: -
--



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
-- Name: receipts_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.receipts_seq_seq', 1, false);


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
-- Name: audit_log audit_log_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (seq);


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
-- Name: receipts receipts_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.receipts
    ADD CONSTRAINT receipts_id_key UNIQUE (id);


--
-- Name: receipts receipts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.receipts
    ADD CONSTRAINT receipts_pkey PRIMARY KEY (seq);


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
-- Name: retention retention_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (app);


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
-- Name: audit_log_by_subject; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX audit_log_by_subject ON public.audit_log USING btree (subject);


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
-- Name: audit_log audit_log_append_only; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER audit_log_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION public.audit_log_refuse();


--
-- Name: audit_log audit_log_in_order; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER audit_log_in_order BEFORE INSERT ON public.audit_log FOR EACH ROW EXECUTE FUNCTION public.audit_log_follow();


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


