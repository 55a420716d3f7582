"""The address book, asked by impacket's NSPI client; what impacket has no or a wrong structure for is described here."""
import struct

import pytest

nspi = pytest.importorskip("impacket.dcerpc.v5.nspi", reason="python3-impacket is not installed")
from impacket.dcerpc.v5.dtypes import DWORD, LPSTR, NULL, ULONG  # noqa: E402
from impacket.dcerpc.v5.ndr import NDRCALL  # noqa: E402
from impacket.dcerpc.v5.rpcrt import DCERPCException  # noqa: E402

from conftest import run  # noqa: E402
from peer import bound_rpc, dn_of  # noqa: E402

NAME_W, NAME_A = 0x3001001F, 0x3001001E
SMTP_W = 0x39FE001F
PROXIES_W, PROXIES_A = 0x800F101F, 0x800F101E
ANR_W = 0x360C001F
PHONE_A, PHONE_ERROR = 0x3A1A001E, 0x3A1A000A
ENTRY_ID = 0x0FFF0102
INVALID_CODEPAGE, INVALID_LOCALE, NOT_SUPPORTED = 0x8004011E, 0x8004011F, 0x80040102
NOT_FOUND, LOGON_FAILED, INVALID_PARAMETER = 0x8004010F, 0x80040111, 0x80070057
TABLE_TOO_BIG, GENERAL_FAILURE, ERRORS_RETURNED, TOO_COMPLEX = 0x80040403, 0x80004005, 0x00040380, 0x80040117


# [MS-OXNSPI] 3.1.4.1.x: a STAT is a reference at the top level, so it has no referent on the wire.
class NspiGetMatches(NDRCALL):
    opnum = 5
    structure = (("hRpc", nspi.handle_t), ("Reserved1", DWORD), ("pStat", nspi.STAT),
                 ("pReserved", nspi.PPropertyTagArray_r), ("Reserved2", DWORD), ("Filter", nspi.PRestriction_r),
                 ("lpPropName", nspi.PPropertyName_r), ("ulRequested", DWORD), ("pPropTags", nspi.PPropertyTagArray_r))


class NspiGetMatchesResponse(NDRCALL):
    structure = (("pStat", nspi.STAT), ("ppOutMIds", nspi.PPropertyTagArray_r), ("ppRows", nspi.PPropertyRowSet_r),
                 ("ErrorCode", ULONG))


class NspiGetProps(NDRCALL):
    opnum = 9
    structure = (("hRpc", nspi.handle_t), ("dwFlags", DWORD), ("pStat", nspi.STAT),
                 ("pPropTags", nspi.PPropertyTagArray_r))


class NspiGetPropsResponse(NDRCALL):
    structure = (("ppRows", nspi.PPropertyRow_r), ("ErrorCode", ULONG))


class NspiResortRestriction(NDRCALL):
    opnum = 6
    structure = (("hRpc", nspi.handle_t), ("Reserved", DWORD), ("pStat", nspi.STAT),
                 ("pInMIds", nspi.PropertyTagArray_r), ("ppOutMIds", nspi.PPropertyTagArray_r))


class NspiResortRestrictionResponse(NDRCALL):
    structure = (("pStat", nspi.STAT), ("ppOutMIds", nspi.PPropertyTagArray_r), ("ErrorCode", ULONG))


class NspiModProps(NDRCALL):
    opnum = 11
    structure = (("hRpc", nspi.handle_t), ("Reserved", DWORD), ("pStat", nspi.STAT),
                 ("pPropTags", nspi.PPropertyTagArray_r), ("pRow", nspi.PropertyRow_r))


class NspiModPropsResponse(NDRCALL):
    structure = (("ErrorCode", ULONG),)


class NspiGetTemplateInfo(NDRCALL):
    opnum = 13
    structure = (("hRpc", nspi.handle_t), ("dwFlags", DWORD), ("ulType", DWORD), ("pDN", LPSTR),
                 ("dwCodePage", DWORD), ("dwLocaleID", DWORD))


NspiGetTemplateInfoResponse = nspi.NspiGetTemplateInfoResponse


class Book:
    """A bound session with helpers that raise nothing on a status."""

    def __init__(self, server, level="privacy", user="alice"):
        self.rpc = bound_rpc(server.nspi, nspi.MSRPC_UUID_NSPI, level, user)
        bound = nspi.hNspiBind(self.rpc, stat())
        self.guid = bound["pServerGuid"]
        self.handle = bound["contextHandle"]

    def ask(self, request):
        request["hRpc"] = self.handle
        return self.rpc.request(request, checkError=False)

    def mid(self, user):
        return mids(nspi.hNspiDNToMId(self.rpc, self.handle, [dn_of(user)])["ppOutMIds"])[0]

    def query(self, tags, **arguments):
        answer = nspi.hNspiQueryRows(self.rpc, self.handle, pPropTags=tags, **arguments)
        return answer, nspi.simplifyPropertyRowSet(answer["ppRows"])

    def matches(self, restriction, tags=(NAME_W,), requested=50, **fields):
        request = NspiGetMatches()
        request["pStat"] = stat(**fields)
        request["pReserved"], request["lpPropName"], request["ulRequested"] = NULL, NULL, requested
        restriction(request["Filter"])
        put_tags(request, tags)
        answer = self.ask(request)
        if answer["ErrorCode"] != 0:
            return answer["ErrorCode"], None
        found = nspi.simplifyPropertyRowSet(answer["ppRows"])
        assert len(mids(answer["ppOutMIds"])) == len(found)
        return 0, [row[tags[0]] for row in found]

    def props(self, mid, tags, code_page=1252):
        request = NspiGetProps()
        request["pStat"] = stat(CurrentRec=mid, CodePage=code_page)
        put_tags(request, tags)
        answer = self.ask(request)
        row = None if answer["ErrorCode"] not in (0, ERRORS_RETURNED) else nspi.simplifyPropertyRow(answer["ppRows"])
        return answer["ErrorCode"], row


@pytest.fixture
def book(server):
    return Book(server)


def stat(**fields):
    out = nspi.STAT()
    out["CodePage"], out["TemplateLocale"], out["SortLocale"] = 1252, 0x409, 0x409
    for name, value in fields.items():
        out[name] = value
    return out


def put_tags(request, tags):
    if not tags:
        request["pPropTags"] = NULL
        return
    for tag in tags:
        item = DWORD()
        item["Data"] = tag
        request["pPropTags"]["aulPropTag"].append(item)
    request["pPropTags"]["cValues"] = len(tags)
    request.fields["pPropTags"].fields["Data"].fields["aulPropTag"].fields["MaximumCount"] = len(tags) + 1


def mids(array):
    return [item["Data"] if not isinstance(item, int) else item for item in array["aulPropTag"]]


def text8(text):
    """How impacket hands out 8-bit text: ASCII as str, the rest as the bytes of the code page."""
    return text if text.isascii() else text.encode("cp1252")


def text_value(value, tag, text):
    value["ulPropTag"] = tag
    value["Value"]["tag"] = tag & 0xFFFF
    if tag & 0xFFFF == 0x1F:
        value["Value"]["lpszW"] = text + "\0"
    else:
        value["Value"]["lpszA"] = text.encode("cp1252") + b"\0" if isinstance(text, str) else text


def is_equal(tag, text, value_tag=None):
    def put(restriction):
        restriction["rt"] = 4
        restriction["res"]["tag"] = 4
        restriction["res"]["resProperty"]["relop"] = 4
        restriction["res"]["resProperty"]["ulPropTag"] = tag
        text_value(restriction["res"]["resProperty"]["lpProp"], value_tag or tag, text)
    return put


def contains(tag, text, fuzzy, value_tag=None):
    def put(restriction):
        restriction["rt"] = 3
        restriction["res"]["tag"] = 3
        restriction["res"]["resContent"]["ulFuzzyLevel"] = fuzzy
        restriction["res"]["resContent"]["ulPropTag"] = tag
        text_value(restriction["res"]["resContent"]["lpProp"], value_tag or tag, text)
    return put


# ---- Bind ----

@pytest.mark.parametrize("level", ["connect", "integrity", "privacy"])
def test_bind_and_unbind(server, level):
    book = Book(server, level)
    assert not book.handle.isNull() and len(book.guid) == 16
    assert book.query([NAME_W])[1] == [{NAME_W: "Alice Arnold"}, {NAME_W: "Bob Berger"}, {NAME_W: "Zoé Zürn"}]
    gone = nspi.hNspiUnbind(book.rpc, book.handle)
    assert gone["ErrorCode"] == 1 and gone["contextHandle"].isNull()
    with pytest.raises(DCERPCException) as refused:
        book.query([NAME_W])
    assert "context_mismatch" in str(refused.value)


def test_bind_without_authentication_is_refused(server):
    rpc = bound_rpc(server.nspi, nspi.MSRPC_UUID_NSPI, "none")
    request = nspi.NspiBind()
    request["pStat"] = stat()
    answer = rpc.request(request, checkError=False)
    assert answer["ErrorCode"] == LOGON_FAILED and answer["contextHandle"].isNull()


def test_bind_wants_a_code_page(server):
    rpc = bound_rpc(server.nspi, nspi.MSRPC_UUID_NSPI)
    request = nspi.NspiBind()
    request["pStat"] = stat(CodePage=1200)
    answer = rpc.request(request, checkError=False)
    assert answer["ErrorCode"] == INVALID_CODEPAGE and answer["contextHandle"].isNull()


@pytest.mark.parametrize("user, password", [("alice", "Wonderland-2"), ("nobody", "x")])
def test_a_wrong_password_opens_nothing(server, user, password):
    with pytest.raises(DCERPCException) as refused:
        rpc = bound_rpc(server.nspi, nspi.MSRPC_UUID_NSPI, user=user, password=password)
        nspi.hNspiBind(rpc, stat())
    assert "denied" in str(refused.value).lower() or "0x5" in str(refused.value)


def test_a_handle_of_another_connection_is_refused(server):
    mine, other = Book(server), Book(server, user="bob")
    other.handle = mine.handle
    with pytest.raises(DCERPCException) as refused:
        other.query([NAME_W])
    assert "context_mismatch" in str(refused.value)
    assert len(mine.query([NAME_W])[1]) == 3


# ---- Positions and rows ----

def test_update_stat_moves_and_counts(book):
    request = nspi.NspiUpdateStat()
    request["pStat"] = stat(Delta=1)
    request["plDelta"] = 0
    answer = book.ask(request)
    assert answer["ErrorCode"] == 0 and answer["plDelta"] == 1
    place = answer["pStat"]
    assert (place["CurrentRec"], place["NumPos"], place["TotalRecs"], place["Delta"]) == (book.mid("bob"), 1, 3, 0)
    request["pStat"] = stat(CurrentRec=book.mid("zoe"), Delta=-2)
    place = book.ask(request)["pStat"]
    assert (place["CurrentRec"], place["NumPos"]) == (book.mid("alice"), 0)
    request["pStat"] = stat(CurrentRec=book.mid("bob"), Delta=100)
    answer = book.ask(request)
    assert answer["plDelta"] == 2 and answer["pStat"]["CurrentRec"] == nspi.MID_END_OF_TABLE


def test_update_stat_of_half_the_table(book):
    request = nspi.NspiUpdateStat()
    request["pStat"] = stat(CurrentRec=nspi.MID_CURRENT, NumPos=500, TotalRecs=1000)
    request["plDelta"] = NULL
    assert book.ask(request)["pStat"]["CurrentRec"] == book.mid("bob")


def test_update_stat_names_what_is_wrong(book):
    request = nspi.NspiUpdateStat()
    request["plDelta"] = NULL
    for fields, status in (({"ContainerID": 77}, 0x80040405), ({"CurrentRec": 4711}, NOT_FOUND)):
        request["pStat"] = stat(**fields)
        assert book.ask(request)["ErrorCode"] == status


def test_query_rows_pages_through_the_list(book):
    place, names = stat(), []
    for _ in range(4):
        answer, rows = book.query([NAME_W], pStat=place, Count=1)
        names += [row[NAME_W] for row in rows]
        place = answer["pStat"]
    assert names == ["Alice Arnold", "Bob Berger", "Zoé Zürn"]
    assert place["CurrentRec"] == nspi.MID_END_OF_TABLE and place["NumPos"] == 3


def test_query_rows_of_given_entries_keep_their_order(book):
    ids = [book.mid("zoe"), 4711, book.mid("alice")]
    rows = book.query([NAME_A], pStat=stat(), lpETable=ids)[1]
    assert rows == [{NAME_A: text8("Zoé Zürn")}, {0x3001000A: NOT_FOUND}, {NAME_A: text8("Alice Arnold")}]


def test_query_rows_default_columns(book):
    row = book.query([], pStat=stat(), Count=1)[1][0]
    assert list(row) == [0xFFFD0003, 0x0FFE0003, 0x39000003, NAME_A, PHONE_ERROR, 0x3A18000A, 0x3A19000A]


def test_query_rows_without_anything_to_count(book):
    with pytest.raises(DCERPCException) as refused:
        book.query([NAME_W], pStat=stat(), Count=0)
    assert refused.value.get_error_code() == INVALID_PARAMETER


def test_ephemeral_and_permanent_ids(book):
    _, rows = book.query([ENTRY_ID], pStat=stat(), dwFlags=nspi.fEphID, Count=1)
    assert rows[0][ENTRY_ID]["MId"] == book.mid("alice") and rows[0][ENTRY_ID]["ProviderUID"] == book.guid
    _, rows = book.query([ENTRY_ID], pStat=stat(), dwFlags=0, Count=1)
    assert rows[0][ENTRY_ID]["DistinguishedName"] == dn_of("alice")


@pytest.mark.parametrize("text, found", [("A", "alice"), ("bo", "bob"), ("zo", "zoe"), ("zz", None)])
def test_seek_entries(book, text, found):
    request = nspi.NspiSeekEntries()
    request["pStat"] = stat()
    text_value(request["pTarget"], NAME_W, text)
    request["lpETable"], request["pPropTags"] = NULL, NULL
    answer = book.ask(request)
    if found is None:
        assert answer["ErrorCode"] == NOT_FOUND
    else:
        assert answer["ErrorCode"] == 0 and answer["pStat"]["CurrentRec"] == book.mid(found)


def test_seek_entries_by_another_property_is_a_general_failure(book):
    request = nspi.NspiSeekEntries()
    request["pStat"] = stat()
    text_value(request["pTarget"], SMTP_W, "alice@demo.test")
    request["lpETable"], request["pPropTags"] = NULL, NULL
    assert book.ask(request)["ErrorCode"] == GENERAL_FAILURE


def test_compare_mids(book):
    request = nspi.NspiCompareMIds()
    request["pStat"] = stat()
    for one, two, result in (("alice", "zoe", -1), ("zoe", "bob", 1), ("bob", "bob", 0)):
        request["MId1"], request["MId2"] = book.mid(one), book.mid(two)
        answer = book.ask(request)
        assert answer["ErrorCode"] == 0
        assert (answer["plResult"] > 0) - (answer["plResult"] < 0) == result
    request["MId2"] = 4711
    assert book.ask(request)["ErrorCode"] == GENERAL_FAILURE


def test_resort_restriction(book):
    request = NspiResortRestriction()
    request["pStat"] = stat()
    wanted = [book.mid("zoe"), 4711, book.mid("alice")]
    for mid in wanted:
        item = DWORD()
        item["Data"] = mid
        request["pInMIds"]["aulPropTag"].append(item)
    request["pInMIds"]["cValues"] = 3
    request.fields["pInMIds"].fields["aulPropTag"].fields["MaximumCount"] = 4
    request["ppOutMIds"] = NULL
    answer = book.ask(request)
    assert answer["ErrorCode"] == 0 and mids(answer["ppOutMIds"]) == [book.mid("alice"), book.mid("zoe")]
    assert answer["pStat"]["TotalRecs"] == 2


# ---- Matching and resolving ----

@pytest.mark.parametrize("restriction, found", [
    (is_equal(ANR_W, "ali"), ["Alice Arnold"]),
    (is_equal(ANR_W, "berger"), ["Bob Berger"]),
    (is_equal(ANR_W, "zoe@demo.test"), ["Zoé Zürn"]),
    (is_equal(ANR_W, "nobody"), []),
    (is_equal(NAME_W, "Bob Berger"), ["Bob Berger"]),
    (is_equal(NAME_W, "zoé zürn"), ["Zoé Zürn"]),
    (is_equal(NAME_A, "Zoé Zürn"), ["Zoé Zürn"]),
    (contains(NAME_W, "b", 0x10002), ["Bob Berger"]),
    (contains(NAME_W, "r", 0x10001), ["Alice Arnold", "Bob Berger", "Zoé Zürn"]),
    (is_equal(PROXIES_W, "SMTP:bob@demo.test", 0x800F001F), ["Bob Berger"]),
    (is_equal(PROXIES_A, "smtp:bob@demo.test", 0x800F001E), ["Bob Berger"]),
    (is_equal(PROXIES_W, "smtp:nobody@demo.test", 0x800F001F), []),
    (is_equal(SMTP_W, "alice@demo.test"), ["Alice Arnold"]),
])
def test_get_matches(book, restriction, found):
    assert book.matches(restriction) == (0, found)


def test_get_matches_refuses_a_table_too_big(book):
    assert book.matches(contains(NAME_W, "r", 0x10001), requested=2)[0] == TABLE_TOO_BIG


@pytest.mark.parametrize("resolve, tag", [(nspi.hNspiResolveNamesW, NAME_W), (nspi.hNspiResolveNames, NAME_A)])
def test_resolve_names(book, state, resolve, tag):
    run("user", "add", "alina@demo.test", "--name", "Alina Ärlig", "--state", state, "--password-file",
        state / "bob.password")
    names = ["alice", "ali", "nobody", "Ärlig", "bob@demo.test", "=zoe"]
    if resolve is nspi.hNspiResolveNames:
        names[3] = "alina"  # impacket sends no other 8-bit text than ASCII
    answer = resolve(book.rpc, book.handle, pPropTags=[tag], paStr=names)
    assert mids(answer["ppMIds"]) == [2, 1, 0, 2, 2, 2]
    texts = [row[tag] for row in nspi.simplifyPropertyRowSet(answer["ppRows"])]
    wanted = ["Alice Arnold", "Alina Ärlig", "Bob Berger", "Zoé Zürn"]
    assert texts == (wanted if tag == NAME_W else [text8(text) for text in wanted])


def test_resolve_names_in_unicode_without_a_code_page(book):
    for request in (nspi.NspiResolveNames(), nspi.NspiResolveNamesW()):
        request["pStat"] = stat(CodePage=1200)
        request["pPropTags"] = NULL
        assert book.ask(request)["ErrorCode"] == INVALID_CODEPAGE


# ---- Properties ----

def test_dn_to_mid(book):
    answer = nspi.hNspiDNToMId(book.rpc, book.handle, [dn_of("bob"), "/o=DEMO/cn=nobody", dn_of("bob").upper()])
    bob, nobody, shouted = mids(answer["ppOutMIds"])
    assert bob >= 16 and nobody == 0 and shouted == bob


def test_get_prop_list_and_all_of_it(book):
    mid = book.mid("zoe")
    for code_page, tag, text in ((1252, NAME_A, text8("Zoé Zürn")), (1200, NAME_W, "Zoé Zürn")):
        answer = nspi.hNspiGetPropList(book.rpc, book.handle, dwMId=mid, CodePage=code_page)
        tags = mids(answer["ppOutMIds"])
        assert tag in tags
        status, row = book.props(mid, tags, code_page)
        assert status == 0 and list(row) == tags and row[tag] == text


def test_get_props_tells_what_is_missing(book):
    status, row = book.props(book.mid("bob"), [NAME_W, PHONE_A])
    assert status == ERRORS_RETURNED and row == {NAME_W: "Bob Berger", PHONE_ERROR: NOT_FOUND}
    assert book.props(4711, [NAME_W])[0] == NOT_FOUND


def test_proxy_addresses(book):
    status, row = book.props(book.mid("bob"), [PROXIES_W, PROXIES_A])
    assert status == 0
    assert row == {PROXIES_W: ["SMTP:bob@demo.test"], PROXIES_A: ["SMTP:bob@demo.test"]}


def test_special_table_is_the_global_list(book):
    for flags, tag in ((nspi.NspiUnicodeStrings, NAME_W), (0, NAME_A)):
        request = nspi.NspiGetSpecialTable()
        request["dwFlags"], request["pStat"], request["lpVersion"] = flags, stat(), 0
        rows = nspi.simplifyPropertyRowSet(book.ask(request)["ppRows"])
        assert len(rows) == 1 and rows[0][tag] == "Global Address List"
        assert rows[0][0x36000003] == 9 and rows[0][0x30050003] == 0 and rows[0][0xFFFD0003] == 0


def test_query_columns(book):
    for flags, kind in ((nspi.NspiUnicodeProptypes, 0x1F), (0, 0x1E)):
        tags = mids(nspi.hNspiQueryColumns(book.rpc, book.handle, flags)["ppColumns"])
        assert 0x30010000 | kind in tags and len(tags) == len(set(tags))


# ---- What is not supported ----

def test_mod_props_and_mod_link_att(book):
    request = NspiModProps()
    request["pStat"], request["pPropTags"] = stat(CurrentRec=book.mid("alice")), NULL
    assert book.ask(request)["ErrorCode"] == NOT_SUPPORTED
    request = nspi.NspiModLinkAtt()
    request["ulPropTag"], request["dwMId"] = 0x8015000D, book.mid("alice")
    assert book.ask(request)["ErrorCode"] == NOT_SUPPORTED


def test_there_are_no_templates(book):
    request = NspiGetTemplateInfo()
    request["dwFlags"], request["pDN"], request["dwCodePage"], request["dwLocaleID"] = 1, NULL, 1252, 0x409
    answer = book.ask(request)
    assert answer["ErrorCode"] == INVALID_LOCALE


@pytest.mark.parametrize("opnum", [15, 17, 18, 21, 200])
def test_other_methods_are_out_of_range(book, opnum):
    book.rpc.call(opnum, struct.pack("<5I", 0, 0, 0, 0, 0))
    with pytest.raises(DCERPCException) as refused:
        book.rpc.recv()
    assert "nca_s_op_rng_error" in str(refused.value)
    assert len(book.query([NAME_W])[1]) == 3
