/** What is printed of a record: sheets, each of them there where the profile has its sections. */
import type { Profile } from '@fieldchart/client'

export type SheetName = 'summary' | 'prescription' | 'lab' | 'receipt' | 'spectacles'

interface SheetForm {
  readonly name: SheetName
  /** Sections in the order in which they are printed. */
  readonly sections: readonly string[]
  /** Without these sections in the profile there is no such sheet. */
  readonly needs: readonly string[]
}

const SHEETS: readonly SheetForm[] = [
  {
    name: 'prescription',
    sections: ['diagnosis', 'prescriptions', 'treatment'],
    needs: ['prescriptions', 'treatment'],
  },
  { name: 'lab', sections: ['lab_orders', 'lab_results', 'lab_reports'], needs: ['lab_orders'] },
  { name: 'receipt', sections: ['payment', 'payment_status', 'receipts'], needs: ['receipts'] },
  { name: 'spectacles', sections: ['spectacles'], needs: ['spectacles'] },
]

/** What a summary leaves out: who pays, and talk among colleagues. */
const NOT_IN_SUMMARY: ReadonlySet<string> = new Set([
  'demographics', 'contact', 'payment', 'payment_status', 'receipts', 'comments', 'quality', 'approval',
])

export function sheetsOf(profile: Profile): readonly SheetForm[] {
  const here = new Set(profile.sections.map((section) => section.name))
  const summary: SheetForm = {
    name: 'summary',
    sections: profile.sections.map((section) => section.name).filter((name) => !NOT_IN_SUMMARY.has(name)),
    needs: [],
  }
  const others = SHEETS.filter((sheet) => sheet.needs.some((name) => here.has(name)))
  return [summary, ...others].map((sheet) => ({
    ...sheet,
    sections: sheet.sections.filter((name) => here.has(name)),
  }))
}
