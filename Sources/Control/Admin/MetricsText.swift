/// Prometheus's text format, version 0.0.4.
struct MetricsText {
    typealias Labels = [(name: String, value: String)]

    private(set) var text = ""

    /// Adds one metric with all its samples, sorted by their labels. Adds nothing without samples.
    mutating func add(_ metric: Metric, _ samples: [(Labels, Double)]) {
        guard !samples.isEmpty else { return }
        addHead(metric)
        for line in samples.map({ Self.line(metric.rawValue, $0.0, $0.1) }).sorted() { text += line }
    }

    mutating func add(_ metric: Metric, _ histogram: MetricsSnapshot.Histogram) {
        addHead(metric)
        var total: UInt64 = 0
        for (index, count) in histogram.counts.enumerated() {
            total &+= count
            let bound = index < histogram.upperBounds.count ? Self.number(histogram.upperBounds[index]) : "+Inf"
            text += Self.line(metric.rawValue + "_bucket", [("le", bound)], Double(total))
        }
        text += Self.line(metric.rawValue + "_sum", [], histogram.sum)
        text += Self.line(metric.rawValue + "_count", [], Double(total))
    }

    private mutating func addHead(_ metric: Metric) {
        text += "# HELP \(metric.rawValue) \(metric.help)\n# TYPE \(metric.rawValue) \(metric.kind.rawValue)\n"
    }

    private static func line(_ name: String, _ labels: Labels, _ value: Double) -> String {
        let pairs = labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ",")
        return name + (pairs.isEmpty ? "" : "{\(pairs)}") + " \(number(value))\n"
    }

    private static func number(_ value: Double) -> String {
        Int64(exactly: value).map(String.init) ?? "\(value)"
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
