/// Breaks generated text into lines of at most 120 columns.
enum Wrapping {
    /// `head`, the parts with commas and `tail` on one line if they fit, else the parts on lines of their own.
    static func list(_ head: String, _ parts: [String], _ tail: String, indent: String = "") -> String {
        let line = indent + head + parts.joined(separator: ", ") + tail
        if line.count <= 120 { return line + "\n" }
        return indent + head + "\n" + wrapped(parts, indent: indent + "    ") + "\n" + indent + tail + "\n"
    }

    /// Parts with commas, as many on a line as fit.
    static func wrapped(_ parts: [String], indent: String) -> String {
        var lines: [String] = []
        var line = ""
        for (index, part) in parts.enumerated() {
            let piece = index == parts.count - 1 ? part : part + ","
            if line.isEmpty {
                line = indent + piece
            } else if line.count + 1 + piece.count <= 118 {
                line += " " + piece
            } else {
                lines.append(line)
                line = indent + piece
            }
        }
        return (lines + [line]).joined(separator: "\n")
    }
}
