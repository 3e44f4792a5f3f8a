/// How two texts differ, line by line.
struct LineDifference {
    private enum Change {
        case same(Substring)
        case removed(Substring)
        case added(Substring)

        var line: String {
            switch self {
            case .same(let text): " \(text)"
            case .removed(let text): "-\(text)"
            case .added(let text): "+\(text)"
            }
        }

        var isSame: Bool { if case .same = self { true } else { false } }
    }

    private let changes: [Change]

    init(old: String, new: String) {
        let left = LineDifference.lines(old)
        let right = LineDifference.lines(new)
        var removed: Set<Int> = []
        var added: Set<Int> = []
        for change in right.difference(from: left) {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): added.insert(offset)
            }
        }
        var changes: [Change] = []
        var (old, new) = (0, 0)
        while old < left.count || new < right.count {
            if removed.contains(old), old < left.count {
                changes.append(.removed(left[old]))
                old += 1
            } else if added.contains(new) || old >= left.count {
                changes.append(.added(right[new]))
                new += 1
            } else {
                changes.append(.same(left[old]))
                old += 1
                new += 1
            }
        }
        self.changes = changes
    }

    private static func lines(_ text: String) -> [Substring] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    /// The lines around changes, three before and after, as `diff -u` writes them; none where nothing differs.
    func unified(old: String, new: String) -> [String] {
        let wanted = changes.indices.filter { index in
            changes[max(0, index - 3)...min(changes.count - 1, index + 3)].contains { !$0.isSame }
        }
        guard !wanted.isEmpty else { return [] }
        var lines = ["--- \(old)", "+++ \(new)"]
        var (oldLine, newLine) = (1, 1)
        var last = -1
        let shown = Set(wanted)
        for (index, change) in changes.enumerated() {
            if shown.contains(index) {
                if last != index - 1 || last < 0 { lines.append("@@ -\(oldLine) +\(newLine) @@") }
                lines.append(change.line)
                last = index
            }
            if case .added = change {} else { oldLine += 1 }
            if case .removed = change {} else { newLine += 1 }
        }
        return lines
    }

    /// A line of a difference in its colour.
    static func colored(_ line: String) -> String {
        switch line.first {
        case "+": "\u{1B}[32m\(line)\u{1B}[0m"
        case "-": "\u{1B}[31m\(line)\u{1B}[0m"
        case "@": "\u{1B}[36m\(line)\u{1B}[0m"
        default: line
        }
    }
}
