import Foundation

/// `512 B`, `1.5 MiB`: three digits and the unit, for people.
func bytesText(_ bytes: Int64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1000, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    let digits = unit == 0 || value >= 100 ? 0 : 1
    return value.formatted(.number.precision(.fractionLength(digits)).grouping(.never)) + " " + units[unit]
}
