"""The encoding of a file is found, whatever it is, and said; what no encoding explains is refused."""

import pytest

from core.data.encodings import LABELS
from core.data.readers import read
from core.data.sources import Rows
from core.errors import InputError

LETTERS = {
    "french": ("cp1252", "Où êtes-vous allé cet été ? Le garçon a mangé une crêpe à l'hôtel, ça coûte 5 €"),
    "german": ("cp1252", "Können Sie mir bitte sagen, wo die nächste Straße ist? Größere Mengen über 100 €"),
    "spanish": ("cp1252", "¿Dónde está la estación? El niño comió mañana una piña y bebió café."),
    "english": ("cp1252", "He said “don’t” – and left the café… for £5"),
    "portuguese": ("cp1252", "Não há informação sobre a situação das crianças, você está bem?"),
    "swedish": ("cp1252", "Jag är från Göteborg och tycker om blåbär, smörgås och öl på kvällen"),
    "names": ("cp1252", "Müller, José, François, Søren, Åsa, Núñez, Zoë"),
    "polish": ("cp1250", "Zażółć gęślą jaźń. Proszę o wysłanie łącza do strony, żeby się upewnić, że działa."),
    "czech": ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy. Děkuji za rychlou odpověď."),
    "hungarian": ("cp1250", "Árvíztűrő tükörfúrógép. Köszönöm szépen a segítséget, nagyon örülök neki."),
    "croatian": ("cp1250", "Još nisam dobio narudžbu, možete li mi pomoći? Željka Đurić"),
    "russian": ("cp1251", "Здравствуйте, не могу войти в личный кабинет, пришлите новый пароль."),
    "capitals": ("cp1251", "ЗДРАВСТВУЙТЕ ГДЕ МОЙ ЗАКАЗ"),
    "ukrainian": ("cp1251", "Доброго дня, коли прийде моє замовлення? Дякую за відповідь."),
    "russian of unix": ("koi8-r", "Здравствуйте, не могу войти в личный кабинет, пришлите новый пароль."),
    "greek": ("cp1253", "Καλημέρα σας, δεν μπορώ να συνδεθώ στον λογαριασμό μου."),
    "turkish": ("cp1254", "Siparişim hâlâ gelmedi, lütfen yardımcı olur musunuz? Teşekkür ederim"),
    "hebrew": ("cp1255", "שלום, ההזמנה שלי עדיין לא הגיעה, אפשר לבדוק בבקשה"),
    "arabic": ("cp1256", "مرحبا، لم يصل طلبي حتى الآن، هل يمكنكم المساعدة من فضلكم"),
    "japanese": ("cp932", "お世話になっております。注文した商品がまだ届いていません。確認をお願いします。ｶﾀｶﾅ"),
    "japanese of unix": ("euc-jp", "お世話になっております。注文した商品がまだ届いていません。確認をお願いします。"),
    "chinese": ("gb18030", "您好，我的订单还没有收到，请帮我查询一下物流信息，谢谢。"),
    "chinese of taiwan": ("big5", "您好，我的訂單還沒有收到，請幫我查詢一下物流資訊，謝謝。"),
    "korean": ("cp949", "안녕하세요. 주문한 상품이 아직 도착하지 않았습니다. 확인 부탁드립니다."),
}


def read_bytes(tmp_path, content, name="rows.csv"):
    (tmp_path / name).write_bytes(content)
    table = read(tmp_path / name)
    return list(Rows(table.data, table.json)), table.notes


@pytest.mark.parametrize("language", LETTERS)
@pytest.mark.parametrize("lines", [1, 30])
def test_the_letters_tell_the_encoding(tmp_path, language, lines):
    encoding, said = LETTERS[language]
    content = "id;said\n" + "".join(f"{i};{said}\n" for i in range(lines))
    rows, notes = read_bytes(tmp_path, content.encode(encoding))
    assert [row["said"] for row in rows] == [said] * lines
    assert notes[0].startswith(f"The file is not UTF-8 (see line 2); it was read as {LABELS[encoding]}")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32", "utf-8"])
@pytest.mark.parametrize("language", ["russian", "chinese", "english", "korean", "greek", "arabic"])
def test_unicode_with_and_without_a_mark(tmp_path, encoding, language):
    said = LETTERS[language][1]
    rows, notes = read_bytes(tmp_path, f"id|said\n1|{said}\n".encode(encoding))
    assert rows == [{"id": "1", "said": said}]
    assert ("UTF-" in notes[0]) == (encoding != "utf-8")


def test_a_sample_that_ends_within_a_letter(tmp_path):
    said = LETTERS["chinese"][1]
    content = ("id,said\n" + f"1,{said * 6000}\n").encode("gb18030")
    assert len(content) > 1 << 18
    assert read_bytes(tmp_path, content)[0] == [{"id": "1", "said": said * 6000}]


def test_an_encoding_of_the_beginning_that_fails_later_is_not_taken(tmp_path):
    early = "id,said\n" + f"1,{LETTERS['korean'][1]}\n" * 3000
    rows, notes = read_bytes(tmp_path, early.encode("cp949") + b"2,caf\xe9 \xff\n")
    assert rows[-1]["said"] == "café ÿ"
    assert "Windows-1252" in notes[0] or "Latin-1" in notes[0]


def test_two_encodings_in_one_file(tmp_path):
    with pytest.raises(InputError) as error:
        read_bytes(tmp_path, "q,a\nnaïve façade,déjà vu\n".encode() + "x,é\n".encode("latin-1"))
    assert str(error.value).startswith("rows.csv, line 3: a letter is not UTF-8, though the rest of the file is")


def test_utf8_that_is_cut_within_a_letter(tmp_path):
    with pytest.raises(InputError) as error:
        read_bytes(tmp_path, "q,a\nnaïve façade,déjà vu à la".encode() + b"\xc3")
    assert str(error.value) == "rows.csv, line 2: the file ends within a letter: it may have been cut."
