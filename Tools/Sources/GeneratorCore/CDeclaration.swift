import APIModel

/// Spells C declarations.
enum CDeclaration {
    /// A declaration of `name` with a type.
    static func declarator(_ type: String, _ name: String) -> String {
        if type.contains("(*)") { return type.replacing("(*)", with: "(*\(name))") }
        return type.hasSuffix("*") ? "\(type)\(name)" : "\(type) \(name)"
    }

    /// The parameters of a function, without parentheses.
    static func parameters(_ function: FunctionDescription) -> String {
        let parameters = function.parameters.map { declarator($0.type, $0.name) }.joined(separator: ", ")
        return parameters.isEmpty ? "void" : parameters
    }
}
