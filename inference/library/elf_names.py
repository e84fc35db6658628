"""The exported names of a Linux library, with a prefix taken off.

Only as much of ELF as that needs: 64 bits, little-endian, a GNU hash table. The
file keeps its size, and nothing in it moves but rows of tables: a name loses its
beginning where its symbol points further into it, and the hash table, which the
dynamic linker searches, is made anew in its place.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import reduce

MAGIC = b"\x7fELF\x02\x01"
SHT_DYNSYM = 11
SHT_RELA = 4
SHT_GNU_HASH = 0x6FFFFFF6
SHT_GNU_VERSYM = 0x6FFFFFFF
KNOWN_LINKS = frozenset({SHT_RELA, SHT_GNU_HASH, SHT_GNU_VERSYM})

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
RELOCATION = struct.Struct("<QQq")
HASH_HEADER = struct.Struct("<IIII")
WORD_BITS = 64


class ElfError(ValueError):
    """Not a file that this can change; the message says what is the matter."""


@dataclass(frozen=True, slots=True)
class _Section:
    """A row of the section table."""

    kind: int
    offset: int
    size: int
    link: int


def without_prefix(library: bytes, prefix: bytes) -> bytes:
    """Return the library with `prefix` taken off the names that it exports.

    Raises:
        ElfError: it has no such names, or is not built as expected.
    """
    image = bytearray(library)
    try:
        _rename(image, prefix)
    except (struct.error, IndexError) as error:
        raise ElfError(f"the file is cut off or damaged: {error}") from None
    return bytes(image)


def _rename(image: bytearray, prefix: bytes) -> None:
    sections = _sections(image)
    symbols = _only(sections, SHT_DYNSYM)
    place = sections.index(symbols)
    tied = [one for one in sections if one.link == place and one is not symbols]
    if any(one.kind not in KNOWN_LINKS for one in tied):
        raise ElfError("something unknown refers to its symbols")
    rows = list(SYMBOL.iter_unpack(_bytes_of(image, symbols)))
    strings = _bytes_of(image, sections[symbols.link])
    table = _HashTable.read(image, _only(tied, SHT_GNU_HASH))
    renamed = 0
    for number, (name, *rest) in enumerate(rows[table.first :], table.first):
        if strings.startswith(prefix, name):
            rows[number] = (name + len(prefix), *rest)
            renamed += 1
    if not renamed:
        raise ElfError(f"no name in it begins with {prefix.decode()}")
    hashes = [_gnu_hash(_name_at(strings, row[0])) for row in rows]
    order = list(range(table.first))
    # The rows of a bucket stand together, in the order of the buckets.
    order += sorted(
        range(table.first, len(rows)), key=lambda old: hashes[old] % table.buckets
    )
    _write(image, symbols, b"".join(SYMBOL.pack(*rows[old]) for old in order))
    table.write(image, [hashes[old] for old in order])
    _follow(image, tied, order)


def _sections(image: bytearray) -> list[_Section]:
    if not image.startswith(MAGIC):
        raise ElfError("it is no little-endian ELF file of 64 bits")
    header = HEADER.unpack_from(image)
    at, size, count = header[6], header[11], header[12]
    rows = (SECTION.unpack_from(image, at + size * number) for number in range(count))
    return [_Section(row[1], row[4], row[5], row[6]) for row in rows]


def _only(sections: list[_Section], kind: int) -> _Section:
    found = [section for section in sections if section.kind == kind]
    if len(found) != 1:
        raise ElfError(f"it has {len(found)} sections of type {kind:#x}, not one")
    return found[0]


@dataclass(frozen=True, slots=True)
class _HashTable:
    """Where the table lies, and the sizes it was made with, which are kept."""

    offset: int
    buckets: int
    first: int
    bloom_words: int
    bloom_shift: int

    @classmethod
    def read(cls, image: bytearray, section: _Section) -> _HashTable:
        found = cls(section.offset, *HASH_HEADER.unpack_from(image, section.offset))
        if not found.buckets or not found.bloom_words:
            raise ElfError("its hash table is empty")
        return found

    def write(self, image: bytearray, hashes: list[int]) -> None:
        """Write filter, buckets and chains for symbols in the order of buckets."""
        bloom = [0] * self.bloom_words
        buckets = [0] * self.buckets
        chains = []
        numbers = [one % self.buckets for one in hashes]
        for place in range(self.first, len(hashes)):
            one = hashes[place]
            bits = 1 << one % WORD_BITS | 1 << (one >> self.bloom_shift) % WORD_BITS
            bloom[one // WORD_BITS % self.bloom_words] |= bits
            buckets[numbers[place]] = buckets[numbers[place]] or place
            # The lowest bit ends a chain.
            is_last = numbers[place : place + 2] != numbers[place : place + 1] * 2
            chains.append(one & ~1 | is_last)
        words = f"<{len(bloom)}Q{len(buckets)}I{len(chains)}I"
        offset = self.offset + HASH_HEADER.size
        struct.pack_into(words, image, offset, *bloom, *buckets, *chains)


def _follow(image: bytearray, tied: list[_Section], order: list[int]) -> None:
    """Have what names a symbol by its place name the place it has now."""
    places = [0] * len(order)
    for new, old in enumerate(order):
        places[old] = new
    for section in tied:
        content = _bytes_of(image, section)
        if section.kind == SHT_RELA:
            moved = [
                RELOCATION.pack(at, places[info >> 32] << 32 | info & 0xFFFFFFFF, add)
                for at, info, add in RELOCATION.iter_unpack(content)
            ]
            _write(image, section, b"".join(moved))
        elif section.kind == SHT_GNU_VERSYM:
            versions = struct.unpack(f"<{len(order)}H", content)
            moved_versions = [versions[old] for old in order]
            _write(image, section, struct.pack(f"<{len(order)}H", *moved_versions))


def _bytes_of(image: bytearray, section: _Section) -> bytes:
    return bytes(image[section.offset : section.offset + section.size])


def _write(image: bytearray, section: _Section, content: bytes) -> None:
    assert len(content) == section.size
    image[section.offset : section.offset + section.size] = content


def _name_at(strings: bytes, offset: int) -> bytes:
    return strings[offset : strings.index(b"\0", offset)]


def _gnu_hash(name: bytes) -> int:
    return reduce(lambda found, byte: (found * 33 + byte) & 0xFFFFFFFF, name, 5381)
