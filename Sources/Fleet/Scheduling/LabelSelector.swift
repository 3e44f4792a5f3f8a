/// Conditions on labels, all of which must hold.
public struct LabelSelector: Sendable, Hashable, Codable {
    /// How a label's value is compared.
    public enum Operator: String, Sendable, Hashable, Codable {
        /// The value is one of the named ones.
        case isIn = "In"
        /// The value is none of the named ones, or the label is absent.
        case isNotIn = "NotIn"
        /// The label is there.
        case exists = "Exists"
        /// The label is absent.
        case doesNotExist = "DoesNotExist"
    }

    /// One condition.
    public struct Requirement: Sendable, Hashable, Codable {
        /// The label.
        public var key: String
        /// How it is compared.
        public var comparison: Operator
        /// With what.
        public var values: [String]

        /// A condition on one label.
        public init(key: String, comparison: Operator, values: [String] = []) {
            self.key = key
            self.comparison = comparison
            self.values = values
        }

        /// Whether labels meet the condition.
        public func matches(_ labels: [String: String]) -> Bool {
            let value = labels[key]
            switch comparison {
            case .isIn: return value.map { values.contains($0) } ?? false
            case .isNotIn: return value.map { !values.contains($0) } ?? true
            case .exists: return value != nil
            case .doesNotExist: return value == nil
            }
        }
    }

    /// The conditions.
    public var requirements: [Requirement]

    /// Collects conditions.
    public init(_ requirements: [Requirement] = []) { self.requirements = requirements }

    /// Labels that must have these values.
    public init(equal labels: [String: String]) {
        requirements = labels.sorted { $0.key < $1.key }
            .map { Requirement(key: $0.key, comparison: .isIn, values: [$0.value]) }
    }

    /// Accepts everything.
    public static let any = LabelSelector()

    /// Whether labels meet all conditions.
    public func matches(_ labels: [String: String]) -> Bool {
        for requirement in requirements where !requirement.matches(labels) { return false }
        return true
    }
}
