{
    'name': 'SICANTIK permits (for tests)',
    'summary': 'Permits, documents and signatures with the columns of SICANTIK',
    'version': '1.0',
    'category': 'Hidden',
    'author': 'sicantik_wa',
    'license': 'LGPL-3',
    'depends': ['mail', 'phone_validation'],
    'data': ['ir.model.access.csv'],
}
