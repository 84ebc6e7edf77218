"""Which of OPA's builtin functions a policy may use: an allow-list, so that a builtin OPA learns later is refused until somebody looked.

Allowed is what depends on its arguments alone. Checked on every reference in the syntax tree, because
a builtin is reached without calling it: `count(x) with count as http.send` really dials.
The reasons are shown to authors. A test compares both tables with the capabilities of the OPA binary.
"""

from __future__ import annotations

from collections.abc import Mapping


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPERATORS = _names("and assign div eq equal gt gte lt lte minus mul neq or plus rem internal.member_2 internal.member_3")
_WRITTEN_BY_OPA = _names("internal.print internal.template_string internal.test_case print")
_NUMBERS = _names(
    "abs bits.and bits.lsh bits.negate bits.or bits.rsh bits.xor ceil floor format_int max min numbers.range numbers.range_step"
    " product round sum to_number units.parse units.parse_bytes"
)
_COLLECTIONS = _names(
    "all any array.concat array.flatten array.reverse array.slice count graph.reachable graph.reachable_paths intersection"
    " json.filter json.patch json.remove object.filter object.get object.keys object.remove object.subset object.union object.union_n"
    " set_diff sort union walk"
)
_TEXT = _names(
    "concat contains endswith glob.match glob.quote_meta indexof indexof_n lower re_match regex.find_all_string_submatch_n regex.find_n"
    " regex.globs_match regex.is_valid regex.match regex.replace regex.split regex.template_match replace semver.compare"
    " semver.is_valid split sprintf startswith strings.any_prefix_match strings.any_suffix_match strings.count"
    " strings.render_template strings.replace_n strings.reverse strings.split_n substring trim trim_left trim_prefix trim_right"
    " trim_space trim_suffix upper"
)
_TYPES = _names(
    "cast_array cast_boolean cast_null cast_object cast_set cast_string is_array is_boolean is_null is_number is_object is_set"
    " is_string type_name"
)
_ENCODINGS = _names(
    "base64.decode base64.encode base64.is_valid base64url.decode base64url.encode base64url.encode_no_pad hex.decode hex.encode"
    " json.is_valid json.marshal json.marshal_with_options json.unmarshal uri.is_valid uri.parse urlquery.decode urlquery.decode_object"
    " urlquery.encode urlquery.encode_object uuid.parse yaml.is_valid yaml.marshal yaml.unmarshal"
)
_HASHES_AND_SIGNATURES = _names(
    "crypto.hmac.equal crypto.hmac.md5 crypto.hmac.sha1 crypto.hmac.sha256 crypto.hmac.sha512 crypto.md5 crypto.sha1 crypto.sha256"
    " crypto.x509.parse_certificate_request crypto.x509.parse_certificates io.jwt.decode io.jwt.verify_eddsa io.jwt.verify_es256"
    " io.jwt.verify_es384 io.jwt.verify_es512 io.jwt.verify_hs256 io.jwt.verify_hs384 io.jwt.verify_hs512 io.jwt.verify_ps256"
    " io.jwt.verify_ps384 io.jwt.verify_ps512 io.jwt.verify_rs256 io.jwt.verify_rs384 io.jwt.verify_rs512"
)
_ADDRESSES = _names(
    "net.cidr_contains net.cidr_contains_matches net.cidr_expand net.cidr_intersects net.cidr_is_valid net.cidr_merge net.cidr_overlap"
)
_TIMES = _names(
    "time.add_date time.clock time.date time.diff time.format time.now_ns time.parse_duration_ns time.parse_ns time.parse_rfc3339_ns"
    " time.weekday"
)
_GRAPHQL = _names(
    "graphql.is_valid graphql.parse graphql.parse_and_verify graphql.parse_query graphql.parse_schema graphql.schema_is_valid"
)
_ABOUT_REGO = _names("rego.metadata.chain rego.metadata.rule")

ALLOWED = (
    _OPERATORS | _WRITTEN_BY_OPA | _NUMBERS | _COLLECTIONS | _TEXT | _TYPES | _ENCODINGS | _HASHES_AND_SIGNATURES | _ADDRESSES | _TIMES
    | _GRAPHQL | _ABOUT_REGO
)  # fmt: skip

_NETWORK = "it reaches the network, and a verdict must follow from the input alone"
_CLOCK = "it reads the machine's clock, and a replay would get another answer; compare with input.time"
_CHANCE = "its answer is random, and a replay would get another one"
_KEYS = "it handles private keys, which have no place in a policy"

REFUSED: Mapping[str, str] = {
    "http.send": _NETWORK,
    "net.lookup_ip_addr": _NETWORK,
    "json.match_schema": "it fetches schemas that are named by address, and a verdict must follow from the input alone",
    "json.verify_schema": "it fetches schemas that are named by address, and a verdict must follow from the input alone",
    "opa.runtime": "it reads the environment of the machine; put the value into parameters or data",
    "rand.intn": _CHANCE,
    "uuid.rfc4122": _CHANCE,
    "io.jwt.decode_verify": _CLOCK + "; io.jwt.verify_* and io.jwt.decode do the rest",
    "crypto.x509.parse_and_verify_certificates": _CLOCK,
    "crypto.x509.parse_and_verify_certificates_with_options": _CLOCK,
    "io.jwt.encode_sign": _KEYS,
    "io.jwt.encode_sign_raw": _KEYS,
    "crypto.parse_private_keys": _KEYS,
    "crypto.x509.parse_keypair": _KEYS,
    "crypto.x509.parse_rsa_private_key": _KEYS,
    "providers.aws.sign_req": _KEYS,
    "rego.parse_module": "policies are not programs that read programs; its errors would change with every OPA version",
    "trace": "it writes into the evaluator's trace; use print in a test",
}
"""Builtin → why a policy may not use it, and what to do instead."""
