/// A table as text: a line of titles, then a line for each row, columns two spaces apart.
struct Table: Equatable, Sendable {
    /// A column.
    struct Column: Equatable, Sendable {
        var title: String
        var isNumber: Bool

        /// A column of words, which begin below one another.
        static func words(_ title: String) -> Column { Column(title: title, isNumber: false) }
        /// A column of numbers, which end below one another.
        static func numbers(_ title: String) -> Column { Column(title: title, isNumber: true) }
    }

    var columns: [Column]
    var rows: [[String]]

    /// The table, without an end of line after the last row and without spaces at the ends of lines.
    var text: String {
        let lines = ([columns.map(\.title)] + rows).map { row in
            columns.indices.map { row.indices.contains($0) ? Table.printable(row[$0]) : "" }
        }
        let widths = columns.indices.map { index in lines.map { $0[index].count }.max() ?? 0 }
        return lines.map { line in
            var text = ""
            for (index, cell) in line.enumerated() {
                let padding = String(repeating: " ", count: widths[index] - cell.count)
                if index > 0 { text += "  " }
                text += columns[index].isNumber ? padding + cell : cell + padding
            }
            while text.last == " " { text.removeLast() }
            return text
        }.joined(separator: "\n")
    }

    /// The text without characters that would move a terminal's cursor: names come from programs.
    static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
                    return isControl ? "?" : scalar
                }))
    }
}
