/// The rules for names.
public enum Names {
    /// The longest name, in bytes: what a DNS label holds.
    public static let byteCountMax = 63
    /// The longest name of a label, in bytes.
    public static let labelByteCountMax = 128

    /// Why a text is no resource's name; nil where it is one.
    public static func objection(_ text: String) -> String? {
        let isRight = !text.isEmpty && text.utf8.count <= byteCountMax && text.utf8.allSatisfy(isNamePart)
        guard isRight, let first = text.utf8.first, let last = text.utf8.last, isAlphanumeric(first),
            isAlphanumeric(last)
        else {
            return "is no name: 1 to \(byteCountMax) of a-z, 0-9, - and ., which begin and end with a letter or digit; "
                + "not \"\(text.prefix(80))\""
        }
        return nil
    }

    /// Whether a text may name a label or an annotation.
    public static func isLabelName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= labelByteCountMax
            && text.utf8.allSatisfy { byte in
                isNamePart(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "_")
            }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
}

/// The word that is nearest to a mistyped one; nil where none is near.
public func nearest(to word: String, among words: [String]) -> String? {
    let near = words.map { (word: $0, distance: editDistance(word.lowercased(), $0.lowercased())) }
        .min { $0.distance < $1.distance }
    guard let near, near.distance <= max(1, word.count / 3) else { return nil }
    return near.word
}

/// How many letters must be put in, taken out or changed (Levenshtein).
private func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8.prefix(64))
    let right = Array(right.utf8.prefix(64))
    var row = Array(0...right.count)
    for (index, byte) in left.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in right.indices {
            let change = diagonal + (byte == right[column] ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(change, row[column] + 1, row[column + 1] + 1)
        }
    }
    return row[right.count]
}
