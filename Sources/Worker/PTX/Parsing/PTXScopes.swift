/// What a name in a body stands for.
enum PTXEntity {
    case register(Int)
    case variable(Int)
}

/// The names that one pair of braces declares.
struct PTXScope {
    /// `.reg .b32 %r<10>;`
    struct RegisterRange {
        /// Where the text holds the prefix, `%r`.
        var prefix: Range<Int>
        var first: Int
        var count: Int
    }

    var ranges: [RegisterRange] = []
    var names: [String: PTXEntity] = [:]
    /// Index into ``PTXScopedLabels/scopes``.
    var labels: Int
}

/// The labels of a body by scope, each with the name that is unique in the body.
///
/// Jumps go forward as often as back, so labels are collected before the statements are read.
struct PTXScopedLabels {
    private(set) var scopes: [[String: String]] = [[:]]
    private var declared: [(scope: Int, name: String)] = []
    private var outermost: [String: Int] = [:]

    /// Collects the labels from the start of a body to its end.
    init(_ cursor: PTXCursor) throws(PTXError) {
        var cursor = cursor
        var open = [0]
        while !cursor.isAtEnd {
            if try cursor.skipDebugDirective() { continue }
            if try cursor.take("{") {
                guard open.count < PTXLimits.scopeDepth else {
                    throw PTXError(
                        .limit, at: cursor.position, "blocks may nest at most \(PTXLimits.scopeDepth) deep")
                }
                open.append(scopes.count)
                scopes.append([:])
            } else if try cursor.take("}") {
                if open.count > 1 { open.removeLast() }
            } else if cursor.isAtLabel() {
                try declare(cursor.text, in: open[open.count - 1], at: cursor.position)
                try cursor.advance()
                try cursor.advance()
                // A prototype or a list of targets belongs to its label, and braces do not open a scope there.
                if cursor.isAtLabelDirective { try cursor.skipStatement() }
            } else {
                try cursor.skipStatement()
            }
        }
        renameRepeated()
    }

    /// The unique name of a label that `scope` declares.
    func uniqueName(_ name: String, in scope: Int) -> String? {
        scopes.indices.contains(scope) ? scopes[scope][name] : nil
    }

    private mutating func declare(_ name: String, in scope: Int, at position: PTXPosition) throws(PTXError) {
        guard scopes[scope].updateValue(name, forKey: name) == nil else {
            throw PTXError(.name, at: position, "the label '\(name)' is declared twice in one block")
        }
        declared.append((scope, name))
        outermost[name] = min(scope, outermost[name] ?? scope)
    }

    /// Gives names of their own to the labels whose name a block that opened earlier also has.
    private mutating func renameRepeated() {
        guard declared.count > outermost.count else { return }
        var used = Set(outermost.keys)
        // One counter for all names: a search that starts over for each label could be made quadratic.
        var suffix = 0
        for (scope, name) in declared where outermost[name] != scope {
            var unique: String
            repeat {
                suffix += 1
                unique = "\(name)$\(suffix)"
            } while !used.insert(unique).inserted
            scopes[scope][name] = unique
        }
    }

}

extension PTXCursor {
    /// Whether the directive at hand belongs to the label before it.
    fileprivate var isAtLabelDirective: Bool {
        isAt(word: ".callprototype") || isAt(word: ".branchtargets") || isAt(word: ".calltargets")
    }
}
